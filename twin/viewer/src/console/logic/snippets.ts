// Ready-made ways to send a first reading, filled in with a datasource's address and key.

export interface Snippet {
  name: string;
  about: string;
  text: string;
}

const KEY_LEFT_OUT = "YOUR_INGEST_KEY";

/** Return the snippets for an address; without a key they hold a place for it. `example` is a payload. */
export function snippets(url: string, key: string | null, example: Record<string, unknown>): Snippet[] {
  const shown = key ?? KEY_LEFT_OUT;
  return [
    { name: "curl", about: "In a terminal.", text: curl(url, shown, example) },
    { name: "Python", about: "With the standard library alone.", text: python(url, shown, example) },
    { name: "Excel", about: "A macro: Alt+F11, Insert, Module. It sends the first row below the header.", text: excel(url, shown) },
  ];
}

/** Return a reading without a time, which stands for now, and without a device. */
export function withoutTime(example: Record<string, unknown>): Record<string, unknown> {
  const { ts: _ts, timestamp: _timestamp, time: _time, device: _device, ...rest } = example;
  const { values } = rest;
  const isNested = typeof values === "object" && values !== null && !Array.isArray(values);
  const flat = isNested ? (values as Record<string, unknown>) : rest;
  return Object.keys(flat).length > 0 ? flat : { temperature: 21.5 };
}

function curl(url: string, key: string, example: Record<string, unknown>): string {
  const body = JSON.stringify(example).replaceAll("'", "'\\''");
  return [`curl "${url}" \\`, `  -H "Authorization: Bearer ${key}" \\`, `  -H "Content-Type: application/json" \\`, `  -d '${body}'`].join(
    "\n",
  );
}

function python(url: string, key: string, example: Record<string, unknown>): string {
  return `import json
import urllib.request

request = urllib.request.Request(
    "${url}",
    data=json.dumps(${literal(example)}).encode(),
    headers={"Authorization": "Bearer ${key}", "Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())`;
}

function literal(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value as object).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`);
    return `{${entries.join(", ")}}`;
  }
  return JSON.stringify(value);
}

function excel(url: string, key: string): string {
  return `Sub SendReading()
    ' Row 1 holds names such as temperature, row 2 their values.
    Dim http As Object, body As String, column As Long
    column = 1
    Do While Cells(1, column).Value <> ""
        If column > 1 Then body = body & ","
        body = body & """" & Cells(1, column).Value & """:" & Trim(Str(Cells(2, column).Value))
        column = column + 1
    Loop
    Set http = CreateObject("MSXML2.ServerXMLHTTP.6.0")
    http.Open "POST", "${url}", False
    http.setRequestHeader "Authorization", "Bearer ${key}"
    http.setRequestHeader "Content-Type", "application/json"
    http.send "{" & body & "}"
    MsgBox http.Status & " " & http.responseText
End Sub`;
}
