from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.config.settings import DatabaseSettings, SecretSettings, Settings, declared_settings
from modelyard.config.sources import CHOICES, SettingError, load_settings

KEYS = [key for key, _ in declared_settings()]
TRUTHS = [key for key, declared in declared_settings() if isinstance(declared.default, bool)]
NUMBERS = [key for key, declared in declared_settings() if isinstance(declared.default, int) and key not in TRUTHS]
TEXTS = [key for key, declared in declared_settings() if isinstance(declared.default, str)]
LISTS = [key for key, declared in declared_settings() if isinstance(declared.default, tuple)]


def _value(settings: Settings, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(settings, section), name)


def _variable(key: str) -> str:
    return "MODELYARD_" + key.replace(".", "_").upper()


def _file(folder: Path, content: str) -> Path:
    file = folder / "settings.toml"
    file.write_text(content, "utf-8")
    return file


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("file", "environ", "flags", "value", "origin"),
    [
        (None, {}, {}, 5000, "default"),
        (1, {}, {}, 1, "file "),
        (1, {"MODELYARD_SERVER_PORT": "2"}, {}, 2, "environment MODELYARD_SERVER_PORT"),
        (1, {"MODELYARD_SERVER_PORT": "2"}, {"server.port": 3}, 3, "flag"),
        (1, {"MODELYARD_SERVER_PORT": ""}, {"server.port": None}, 1, "file "),
        (None, {"MODELYARD_SERVER_PORT": "2"}, {"server.port": 0}, 0, "flag"),
    ],
)
def test_the_last_source_that_speaks_wins(
    tmp_path: Path, file: int | None, environ: Mapping[str, str], flags: Mapping[str, Any], value: int, origin: str
) -> None:
    path = _file(tmp_path, f"[server]\nport = {file}\n") if file is not None else None
    settings = load_settings(file=path, environ=environ, flags=flags)
    assert settings.server.port == value
    shown = next(setting for setting in settings.described() if setting.key == "server.port")
    assert shown.origin.startswith(origin)
    assert (shown.value, shown.default) == (value, 5000)


@given(st.sets(st.sampled_from(NUMBERS)), st.data())
def test_a_setting_that_is_told_does_not_touch_the_others(keys: set[str], data: st.DataObject) -> None:
    bounds = {key: declared.metadata for key, declared in declared_settings()}
    told = {key: data.draw(st.integers(bounds[key]["least"], bounds[key]["most"]), label=key) for key in keys}
    environ = {_variable(key): str(value) for key, value in told.items()}
    settings = load_settings(environ=environ)
    for key, declared in declared_settings():
        assert _value(settings, key) == told.get(key, declared.default)
    assert set(settings.origins) == keys


@pytest.mark.parametrize("key", TRUTHS)
def test_a_truth_is_told_in_words(tmp_path: Path, key: str) -> None:
    section, name = key.split(".")
    for word, value in (("true", True), ("ON", True), ("1", True), ("false", False), ("no", False), ("0", False)):
        assert _value(load_settings(environ={_variable(key): word}), key) is value
    assert _value(load_settings(file=_file(tmp_path, f"[{section}]\n{name} = true\n")), key) is True
    for wrong in ("maybe", "2"):
        with pytest.raises(SettingError, match=f"{key} = '{wrong}' .* is neither true nor false"):
            load_settings(environ={_variable(key): wrong})


@pytest.mark.parametrize(
    ("key", "value"), [("server.threads", 0), ("server.port", 65536), ("worker.lease_seconds", -1)]
)
def test_a_number_out_of_its_range_says_the_range(key: str, value: int) -> None:
    with pytest.raises(SettingError, match=f"{key} = {value} .* is not from"):
        load_settings(environ={_variable(key): str(value)})


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_has_a_variable_of_its_own(key: str) -> None:
    assert [_variable(other) for other in KEYS].count(_variable(key)) == 1


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", ["many", "1.5", "-1", "0x10", " "])
def test_a_wrong_number_is_named_with_its_origin(key: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings(environ={_variable(key): value})
    assert key in str(caught.value)
    assert value.strip() in str(caught.value)
    assert _variable(key) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[server]\nport = true", "server.port"),
        ("[server]\nport = [1]", "server.port"),
        ("[server]\nhost = 5", "server.host"),
        ("[plugins]\ndisabled = 5", "plugins.disabled"),
        ("[plugins]\ndisabled = [1]", "plugins.disabled"),
        ("[server]\nprot = 5", "server.prot"),
        ("[sever]\nport = 5", "sever.port"),
        ("port = 5", "'port'"),
        ("[server", "is not TOML"),
        ("[server]\nport = 5\nport = 6", "is not TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: str, says: str) -> None:
    file = _file(tmp_path, content)
    with pytest.raises(SettingError) as caught:
        load_settings(file=file, environ={})
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="is not TOML"):
        load_settings(file=file, environ={})


class TestWhichFile:
    def test_none(self) -> None:
        assert load_settings(environ={}) == Settings()

    def test_the_one_of_the_current_folder(self, tmp_path: Path) -> None:
        (tmp_path / "modelyard.toml").write_text("[server]\nport = 7\n")
        assert load_settings(environ={}).server.port == 7

    def test_the_variable_wins_over_the_folder_and_the_argument_over_both(self, tmp_path: Path) -> None:
        (tmp_path / "modelyard.toml").write_text("[server]\nport = 7\n")
        (tmp_path / "by-variable.toml").write_text("[server]\nport = 8\n")
        environ = {"MODELYARD_CONFIG": "by-variable.toml"}
        assert load_settings(environ=environ).server.port == 8
        assert load_settings(file=_file(tmp_path, "[server]\nport = 9\n"), environ=environ).server.port == 9

    @pytest.mark.parametrize("named", [{"file": Path("absent.toml")}, {"environ": {"MODELYARD_CONFIG": "absent.toml"}}])
    def test_a_named_one_must_be_there(self, named: dict[str, Any]) -> None:
        with pytest.raises(SettingError, match=r"absent\.toml"):
            load_settings(**{"environ": {}, **named})


FREE_TEXTS = [key for key in TEXTS if key not in CHOICES]


@given(st.sampled_from(FREE_TEXTS), st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_texts_come_through_as_they_are(key: str, text: str) -> None:
    assert _value(load_settings(environ={_variable(key): text}), key) == text


@pytest.mark.parametrize("key", [*CHOICES])
def test_a_choice_takes_its_values_only(key: str) -> None:
    assert _value(load_settings(environ={_variable(key): CHOICES[key][-1]}), key) == CHOICES[key][-1]
    with pytest.raises(SettingError, match=f"{key} = 'loud'.*{CHOICES[key][0]}"):
        load_settings(environ={_variable(key): "loud"})


def test_a_slip_of_the_pen_is_named() -> None:
    with pytest.raises(SettingError, match="MODELYARD_SERVER_PROT is no setting"):
        load_settings(environ={"MODELYARD_SERVER_PROT": "5000"})


@given(st.sampled_from(LISTS), st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1))
def test_lists_are_separated_by_commas(key: str, parts: list[str]) -> None:
    assert _value(load_settings(environ={_variable(key): " , ".join(parts) + ","}), key) == tuple(parts)


def test_lists_of_a_file(tmp_path: Path) -> None:
    file = _file(tmp_path, '[outgoing]\nallowed_networks = ["10.0.0.0/8", " 127.0.0.0/8 "]\n')
    assert load_settings(file=file, environ={}).outgoing.allowed_networks == ("10.0.0.0/8", "127.0.0.0/8")


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    settings = load_settings(environ={"MODELYARD_DATA_DIRECTORY": "~/data"})
    assert settings.data.directory == Path("/home/ada/data")


class TestSettings:
    def test_secrets_are_masked_and_only_secrets(self) -> None:
        settings = Settings(
            database=DatabaseSettings(url="postgresql://ada:hunter2@db/x"), secret=SecretSettings(keys=("k1", "k2"))
        )
        masked = {setting.key for setting in settings.described() if setting.value == "********"}
        assert masked == {"database.url", "secret.keys"}
        assert "hunter2" not in repr([*settings.described()])

    def test_an_empty_secret_is_not_masked(self) -> None:
        assert all(setting.value != "********" for setting in Settings().described())

    def test_every_setting_is_described(self) -> None:
        assert [setting.key for setting in Settings().described()] == KEYS
        assert all(setting.description.rstrip().endswith((".", "`")) for setting in Settings().described())

    def test_the_database_is_in_the_data_folder_unless_said(self, tmp_path: Path) -> None:
        assert Settings().database_url == f"sqlite:///{tmp_path / 'modelyard-data' / 'modelyard.db'}"
        assert load_settings(environ={"MODELYARD_DATABASE_URL": "sqlite:////x.db"}).database_url == "sqlite:////x.db"

    def test_the_public_address_has_no_slash_at_its_end(self) -> None:
        assert Settings().public_url == "http://127.0.0.1:5000"
        environ = {"MODELYARD_SERVER_PUBLIC_URL": "https://models.example.com/"}
        assert load_settings(environ=environ).public_url == "https://models.example.com"
