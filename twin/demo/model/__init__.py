"""The demo's 3D models, made by our own generator: shapes → parts → binary glTF. No I/O."""
