"""What `config check` finds beside wrong types: what cannot work, and what is dangerous."""

from __future__ import annotations

import pytest

from modelyard.config.sources import SettingError, load_settings
from modelyard.core.settings_check import dangers, problems

TLS = {"MODELYARD_SERVER_PUBLIC_URL": "https://models.example"}


def warned(**environ: str) -> str:
    return "\n".join(dangers(load_settings(environ=environ)))


def test_the_defaults_are_good_and_safe() -> None:
    settings = load_settings(environ={})
    assert problems(settings) == []
    assert list(dangers(settings)) == []


def test_every_wrong_value_is_named_at_once() -> None:
    environ = {"MODELYARD_SERVER_PORT": "many", "MODELYARD_LIMITS_READS": "often", "MODELYARD_LOG_ACCESS": "perhaps"}
    with pytest.raises(SettingError) as caught:
        load_settings(environ=environ)
    assert all(name in str(caught.value) for name in ("server.port", "limits.reads", "log.access"))


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("MODELYARD_DATABASE_URL", "mysql://db/x", "database.url"),
        ("MODELYARD_SECRET_KEYS", "abc", "secret.keys"),
        ("MODELYARD_LIMITS_STORAGE_URL", "memcached://x", "limits.storage_url"),
        ("MODELYARD_TELEMETRY_STATSD_HOST", "nosuch.invalid", "telemetry.statsd_host"),
        ("MODELYARD_OIDC_ISSUER", "http://id.example", "oidc.issuer"),
    ],
)
def test_what_cannot_work_is_found_without_a_start(variable: str, value: str, says: str) -> None:
    (problem,) = problems(load_settings(environ={variable: value}))
    assert says in problem.message
    assert "abc" not in str(problem)


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"MODELYARD_SERVER_HOST": "0.0.0.0"}, "in the clear"),
        ({"MODELYARD_SERVER_HOST": "models.example"}, "in the clear"),
        ({"MODELYARD_SERVER_HOST": "::", "MODELYARD_LIMITS_ENABLED": "no", **TLS}, "limits.enabled"),
        ({"MODELYARD_SERVER_TRUSTED_PROXIES": "0.0.0.0/0"}, "server.trusted_proxies"),
        ({"MODELYARD_SERVER_CORS_ORIGINS": "http://app.example"}, "server.cors_origins"),
        ({"MODELYARD_OUTGOING_ALLOWED_NETWORKS": "::/0"}, "outgoing.allowed_networks"),
        ({"MODELYARD_OUTGOING_ALLOWED_NETWORKS": "169.254.169.254/32"}, "credentials"),
        ({"MODELYARD_DATABASE_URL": "postgresql://db/x", "MODELYARD_SERVER_WORKERS": "2"}, "2 server processes"),
        ({"MODELYARD_LOG_LEVEL": "DEBUG"}, "log.level"),
    ],
)
def test_what_is_dangerous_is_told(environ: dict[str, str], says: str) -> None:
    assert says in warned(**environ)


@pytest.mark.parametrize(
    "environ",
    [
        {"MODELYARD_SERVER_HOST": "0.0.0.0", **TLS},
        {"MODELYARD_SERVER_HOST": "localhost", "MODELYARD_LIMITS_ENABLED": "no"},
        {"MODELYARD_SERVER_TRUSTED_PROXIES": "10.0.0.0/8", "MODELYARD_SERVER_CORS_ORIGINS": "http://localhost:3000"},
        {"MODELYARD_OUTGOING_ALLOWED_NETWORKS": "10.0.0.0/8,fd00::/8"},
    ],
)
def test_what_is_meant_is_not_complained_about(environ: dict[str, str]) -> None:
    assert warned(**environ) == ""
