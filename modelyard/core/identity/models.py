"""Tables of who may come in: users, their sessions, their API tokens, and what keeps guessers out."""

from __future__ import annotations

from peewee import BigIntegerField, BooleanField, CharField, DeferredForeignKey, ForeignKeyField, IntegerField

from modelyard.core.db import JSONText, Table, new_id, now_ms


class User(Table):
    """Somebody of this server; usernames are compared in lower case.

    `kind` is ``person`` or ``service``: a service account belongs to `organization` and has no password.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    username = CharField(max_length=63, unique=True)
    display_name = CharField(max_length=200, default="")
    password_hash = CharField(max_length=255)
    is_instance_admin = BooleanField(default=False)
    created_at_ms = BigIntegerField(default=now_ms)
    disabled_at_ms = BigIntegerField(null=True)
    email = CharField(max_length=254, default="")
    kind = CharField(max_length=20, default="person")
    organization = DeferredForeignKey("Organization", column_name="organization_id", null=True, on_delete="CASCADE")
    organization_id: int | None

    class Meta:
        table_name = "user_account"

    @property
    def disabled(self) -> bool:
        """Whether their sessions and tokens are refused."""
        return self.disabled_at_ms is not None


class Session(Table):
    """A sign-in by browser; `secret_hash` is the SHA-256 of the cookie."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    user = ForeignKeyField(User, on_delete="CASCADE", backref="sessions")
    secret_hash = CharField(max_length=64, unique=True)
    created_at_ms = BigIntegerField(default=now_ms)
    last_seen_at_ms = BigIntegerField(default=now_ms)
    expires_at_ms = BigIntegerField(index=True)
    address = CharField(max_length=64, default="")
    user_agent = CharField(max_length=400, default="")


class ApiToken(Table):
    """A password for programs: `my_<public id>_<secret>`; only the secret's SHA-256 is kept."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    user = ForeignKeyField(User, on_delete="CASCADE", backref="tokens")
    project = DeferredForeignKey("Project", column_name="project_id", null=True, on_delete="CASCADE")
    project_id: int | None
    name = CharField(max_length=200)
    secret_hash = CharField(max_length=64)
    scopes = JSONText()
    created_at_ms = BigIntegerField(default=now_ms)
    expires_at_ms = BigIntegerField(null=True)
    last_used_at_ms = BigIntegerField(null=True)
    revoked_at_ms = BigIntegerField(null=True)


class SignInCount(Table):
    """How often sign-in failed for an account, an address, or both, or since it was told; the hash says which.

    `succeeded_at_ms` of an account at an address is when it last signed in from there.
    """

    key_hash = CharField(max_length=64, unique=True)
    failures = IntegerField(default=0)
    blocked_until_ms = BigIntegerField(default=0)
    succeeded_at_ms = BigIntegerField(null=True)
    expires_at_ms = BigIntegerField(index=True)


class OneTimeLink(Table):
    """A link that sets a password once: its user's, or, without a user, the first administrator's."""

    user = ForeignKeyField(User, on_delete="CASCADE", null=True)
    secret_hash = CharField(max_length=64, unique=True)
    created_at_ms = BigIntegerField(default=now_ms)
    expires_at_ms = BigIntegerField(null=True)


class IdentityLink(Table):
    """Says which user somebody is whom an OpenID Connect provider knows as `subject`."""

    user = ForeignKeyField(User, on_delete="CASCADE", backref="identities")
    user_id: int
    issuer = CharField(max_length=255)
    subject = CharField(max_length=255)
    created_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("issuer", "subject"), True),)


class UsedAttempt(Table):
    """A sign-in through a provider that has come back once; it stays until the attempt would have expired."""

    state_hash = CharField(max_length=64, unique=True)
    expires_at_ms = BigIntegerField(index=True)
