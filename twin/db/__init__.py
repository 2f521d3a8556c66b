"""The database: its three homes, migrations, pools, partitions and driver errors."""
