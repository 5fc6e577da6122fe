"""Connections to PostgreSQL that are kept for the next request."""

from __future__ import annotations

import select
from typing import Any

from playhouse.pool import PooledPostgresqlDatabase
from psycopg.pq import TransactionStatus


class PostgresqlPool(PooledPostgresqlDatabase):  # type: ignore[misc]
    """A pool that knows a connection which the server has closed by its socket, without a question to the server.

    The question would cost each request a round trip, and be asked while all other threads wait for the pool.
    """

    def _is_closed(self, conn: Any) -> bool:
        """Say whether an idle connection is of no more use: nothing but its end comes to one that asks for nothing."""
        if conn.closed:
            return True
        if conn.pgconn.transaction_status == TransactionStatus.IDLE:
            poll = select.poll()
            poll.register(conn.pgconn.socket, select.POLLIN)
            if not poll.poll(0):
                return False
        conn.close()
        return True
