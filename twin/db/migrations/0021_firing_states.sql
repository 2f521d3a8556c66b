-- What fires in a datasource: widgets look for it after every transition.
CREATE INDEX alert_states_firing ON alert_states (datasource_no) WHERE state = 'firing';
