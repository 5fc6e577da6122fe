from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.cli.errors import ProfileError
from modelyard.cli.profile import Profile, load_profile, profile_file, remove_profile, save_profile
from tests.cli.conftest import TOKEN, Run
from tests.fake_api import FakeApi

ADA = Profile("https://a.example", TOKEN, "ada", "acme/churn")
text = st.text(st.characters(exclude_categories=["Cs"]))


def test_is_kept_for_its_owner_alone(home: Path) -> None:
    file = save_profile("default", ADA)
    assert file == home / "config" / "modelyard" / "profiles.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert load_profile("default") == ADA
    assert [*file.parent.iterdir()] == [file]


def test_the_token_is_in_no_repr() -> None:
    assert "secret" not in repr(ADA)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=text.filter(bool), username=text, token=text)
def test_every_text_comes_back(name: str, username: str, token: str) -> None:
    kept = Profile("https://a.example", token, username)
    save_profile(name, kept)
    assert load_profile(name) == kept


def test_profiles_stand_beside_each_other() -> None:
    save_profile("default", ADA)
    save_profile("staging", replace(ADA, url="https://b.example"))
    remove_profile("default")
    remove_profile("never")
    assert load_profile("default") is None
    found = load_profile("staging")
    assert found is not None
    assert found.url == "https://b.example"


def test_the_file_may_be_elsewhere_and_a_link(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, link = home / "real.toml", home / "link.toml"
    link.symlink_to(real)
    monkeypatch.setenv("MODELYARD_PROFILE_FILE", str(link))
    save_profile("default", ADA)
    assert profile_file() == link
    assert link.is_symlink()
    assert "a.example" in real.read_text("utf-8")


def test_a_write_that_fails_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = save_profile("default", ADA)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("modelyard.cli.profile.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_profile("default", replace(ADA, token="other"))
    assert load_profile("default") == ADA
    assert [*file.parent.iterdir()] == [file]


@pytest.mark.parametrize("content", ["[default", "default = 3", "[default]\ncolour = 'red'", b"\xff"])
def test_a_broken_file_is_named(home: Path, run: Run, content: str | bytes) -> None:
    file = profile_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ProfileError, match=r"profiles\.toml"):
        load_profile("default")
    result = run("whoami")
    assert result.exit_code == 8
    assert str(file) in result.stderr


SESSION = {"user": {"id": "1", "username": "ada", "display_name": "Ada", "is_instance_admin": True}, "kind": "token"}


class TestLogin:
    def test_by_password_makes_a_token_and_keeps_only_that(self, api: FakeApi, run: Run) -> None:
        api.put("POST", "/api/v1/session", {**SESSION, "kind": "user"})
        api.put("POST", "/api/v1/tokens", {"id": "0198", "token": TOKEN})
        api.put("DELETE", "/api/v1/session", {})
        api.put("GET", "/api/v1/session", SESSION)
        result = run("login", api.url, stdin="ada\ncorrect horse\n")
        assert result.exit_code == 0, result.output
        assert [f"{asked.method} {asked.path}" for asked in api.asked] == [
            "POST /api/v1/session",
            "POST /api/v1/tokens",
            "DELETE /api/v1/session",
            "GET /api/v1/session",
        ]
        made = api.asked[1].json
        assert made["name"].startswith("modelyard command line on ")
        assert made["scopes"] == ["admin", "deploy", "read", "write"]
        assert load_profile("default") == Profile(api.url, TOKEN, "ada")
        assert TOKEN not in result.output
        assert "correct horse" not in result.output + profile_file().read_text("utf-8")

    def test_without_questions(self, api: FakeApi, run: Run) -> None:
        api.put("POST", "/api/v1/session", {**SESSION, "kind": "user"})
        api.put("POST", "/api/v1/tokens", {"token": TOKEN})
        api.put("DELETE", "/api/v1/session", {})
        api.put("GET", "/api/v1/session", SESSION)
        arguments = ("--username", "ada", "--password-stdin", "--expires-in-days", "7")
        assert run("login", api.url, *arguments, stdin="pa ss\n").exit_code == 0
        assert api.asked[0].json == {"username": "ada", "password": "pa ss"}
        assert api.asked[1].json["expires_in_days"] == 7

    @pytest.mark.parametrize("arguments", [("--token", TOKEN), ("--token-stdin",)])
    def test_by_token_into_a_named_profile(self, api: FakeApi, run: Run, arguments: tuple[str, ...]) -> None:
        api.put("GET", "/api/v1/session", SESSION)
        assert run("--profile", "staging", "login", api.url + "/", *arguments, stdin=TOKEN + "\n").exit_code == 0
        assert load_profile("staging") == Profile(api.url, TOKEN, "ada")
        assert load_profile("default") is None

    def test_a_bad_token_keeps_nothing(self, api: FakeApi, run: Run) -> None:
        api.problem("GET", "/api/v1/session", 401, "authentication_required", "The token is unknown.")
        assert run("login", api.url, "--token", TOKEN).exit_code == 4
        assert load_profile("default") is None

    def test_two_ways_at_once_are_refused(self, run: Run) -> None:
        assert run("login", "http://localhost", "--token", "x", "--token-stdin").exit_code == 2

    def test_plain_http_to_another_host_is_told(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("modelyard.client.Client.call", lambda *_, **__: SESSION)
        result = run("login", "http://models.example", "--token", TOKEN)
        assert result.stderr.count("plain http") == 1
        assert TOKEN not in result.output

    def test_a_password_over_plain_http_is_told_before_it_is_asked_for(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("modelyard.client.Client.call", lambda *_, **__: {**SESSION, "token": TOKEN})
        result = run("login", "http://models.example", "--username", "ada", "--password-stdin", stdin="x\n")
        assert result.exit_code == 0, result.output
        assert "plain http" in result.stderr


class TestProfileUse:
    def test_the_profile_signs_commands(self, api: FakeApi, run: Run) -> None:
        save_profile("default", Profile(api.url, TOKEN, "ada", "acme/churn"))
        api.put("GET", "/api/v1/session", SESSION)
        text = run("whoami").stdout
        assert api.url in text
        assert "acme/churn" in text
        assert api.last.headers["Authorization"] == f"Bearer {TOKEN}"

    def test_its_token_goes_to_no_other_server(self, api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        save_profile("default", ADA)
        monkeypatch.setenv("MODELYARD_URL", api.url)
        api.put("GET", "/api/v1/session", SESSION)
        assert run("whoami").exit_code == 0
        assert "Authorization" not in api.last.headers

    def test_the_environment_wins(self, api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        save_profile("default", Profile(api.url, TOKEN))
        monkeypatch.setenv("MODELYARD_TOKEN", "my_1_other")
        api.put("GET", "/api/v1/session", SESSION)
        run("whoami")
        assert api.last.headers["Authorization"] == "Bearer my_1_other"

    def test_projects_use_keeps_the_project(self, api: FakeApi, run: Run) -> None:
        save_profile("default", Profile(api.url, TOKEN, "ada"))
        api.put("GET", "/api/v1/organizations/acme/projects/churn", {"slug": "churn"})
        assert run("projects", "use", "acme/churn").exit_code == 0
        api.page("/api/v1/organizations/acme/projects/churn/models", [])
        assert run("models", "list").exit_code == 0
        assert run("projects", "use", "acme/unknown").exit_code == 3
        found = load_profile("default")
        assert found is not None
        assert found.project == "acme/churn"

    def test_projects_use_needs_a_profile(self, run: Run) -> None:
        assert run("projects", "use", "acme/churn").exit_code == 2

    def test_logout_revokes_and_forgets(self, api: FakeApi, run: Run) -> None:
        save_profile("default", Profile(api.url, TOKEN, "ada"))
        api.put("DELETE", "/api/v1/tokens/0198", {})
        assert run("logout").exit_code == 0
        assert api.last.path == "/api/v1/tokens/0198"
        assert load_profile("default") is None
        assert "Nobody" in run("logout").stderr

    def test_logout_forgets_even_if_the_server_does_not_answer(self, run: Run) -> None:
        save_profile("default", Profile("http://127.0.0.1:1", TOKEN, "ada"))
        result = run("logout")
        assert result.exit_code == 0
        assert "did not revoke" in result.stderr
        assert load_profile("default") is None


class TestSeveralServers:
    def test_one_is_in_use_until_another_is(self, api: FakeApi, run: Run) -> None:
        save_profile("default", ADA)
        api.put("GET", "/api/v1/session", SESSION)
        assert run("login", api.url, "--token", TOKEN, "--profile", "staging").exit_code == 0
        assert run("profiles", "use", "staging").exit_code == 0
        assert api.url in run("whoami").stdout
        save_profile("staging", Profile(api.url, TOKEN, "ada", "acme/churn"))
        assert "staging" in run("whoami").stdout
        assert run("profiles", "use", "default").exit_code == 0
        listed = json.loads(run("profiles", "list", "--output", "json").stdout)
        assert {item["name"]: item["in_use"] for item in listed} == {"default": True, "staging": False}
        assert TOKEN not in run("profiles", "list").stdout
        assert api.url in run("--profile", "staging", "whoami").stdout

    def test_one_can_be_forgotten(self, run: Run) -> None:
        save_profile("staging", ADA)
        assert run("profiles", "remove", "staging").exit_code == 0
        assert load_profile("staging") is None
        assert run("profiles", "remove", "staging").exit_code == 2
        assert "login" in run("profiles", "list").output

    def test_one_that_is_not_there_cannot_be_used(self, run: Run) -> None:
        save_profile("default", ADA)
        result = run("profiles", "use", "production")
        assert result.exit_code == 8
        assert "default" in result.stderr


class TestCompletionIsInstalled:
    @pytest.mark.parametrize("shell", ["bash", "zsh"])
    def test_as_one_line_that_is_kept_once(
        self, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch, shell: str
    ) -> None:
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.delenv("ZDOTDIR", raising=False)
        monkeypatch.setenv("SHELL", f"/bin/{shell}")
        file = home / f".{shell}rc"
        file.write_text("alias x=y")
        for _ in range(2):
            result = run("completion", "--install")
            assert (result.exit_code, str(file) in result.stdout) == (0, True)
        assert file.read_text() == f'alias x=y\neval "$(modelyard completion {shell})"\n'

    def test_as_a_file_of_fish(self, home: Path, run: Run) -> None:
        assert run("completion", "fish", "--install").exit_code == 0
        script = (home / "config" / "fish" / "completions" / "modelyard.fish").read_text()
        assert script == run("completion", "fish").stdout.removesuffix("\n")

    def test_an_unknown_shell_is_named(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHELL", "/bin/tcsh")
        result = run("completion", "--install")
        assert result.exit_code == 2
        assert "tcsh" in result.stderr
