"""`twinfeed mqtt`: messages of an MQTT broker posted to an ingestion URL. It knows only MQTT and HTTP.

Invariant: a message of QoS 1 is acknowledged to the broker once its readings are committed, or once the
server has said that they can never be. What is not acknowledged, the broker sends again.
"""
