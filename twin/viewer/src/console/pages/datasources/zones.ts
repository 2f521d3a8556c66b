// Time zones to choose from: those that the browser knows.
export const ZONES: string[] = ["UTC", ...Intl.supportedValuesOf("timeZone")];
