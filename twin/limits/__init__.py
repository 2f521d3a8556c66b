"""Limits: counted in memory shared by a host's workers, told to other hosts through the database.

How exact: on one host no limit is ever passed, however many workers count. On several hosts a limit can
be passed by what the others admit between two syncs (SYNC_INTERVAL_S).
"""
