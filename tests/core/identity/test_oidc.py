"""People of a provider: an account of their own at the first sign-in, roles by their groups at each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.config.settings import OidcSettings, Settings
from modelyard.core import bootstrap, db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import AuthenticationRequired, ConfigurationError, InvalidInput, PermissionDenied
from modelyard.core.identity import oidc
from modelyard.core.identity.models import IdentityLink, Session, User
from modelyard.core.identity.oidc import ProvedIdentity, check_settings, username_from
from modelyard.core.names import check_username
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import MappedRole, OrganizationMember, Project, ProjectMember
from tests.factories import PASSWORD, Factories, system_owner

ISSUER = "https://id.example.com"
WHERE: dict[str, Any] = {"address": "10.0.0.1", "user_agent": "a browser", "request_id": "r1"}
MAPPINGS = (
    "roots=instance_admin",
    "ml=org/churn:editor",
    "leads=org/churn:admin",
    "staff=org:member",
    "bosses=org:owner",
    "lost=no-such/place:viewer",
    "gone=no-such:owner",
)


@pytest.fixture
def settings(override: Callable[..., Settings]) -> Settings:
    """A server with mappings."""
    return override(oidc={"role_mappings": MAPPINGS})


@pytest.fixture
def project(factories: Factories) -> Project:
    owner = factories.user("owner")
    organization = factories.organization("org", owner=owner)
    return factories.services.projects.create(factories.actor(owner), organization.slug, slug="churn", name="Churn")


def somebody(subject: str = "s-1", username: str = "ada", groups: Any = (), **more: Any) -> ProvedIdentity:
    wanted = {"issuer": ISSUER, "display_name": "Ada", **more}
    return ProvedIdentity(subject=subject, username=username, groups=frozenset(groups), **wanted)


def sign_in(services: Services, *groups: str, **more: Any) -> User:
    user, secret = services.oidc.sign_in(somebody(groups=groups, **more), **WHERE)
    found = services.sessions.find(secret)
    assert found is not None
    assert found[0] == user
    return User.get_by_id(user.id)


def roles(user: User) -> tuple[str | None, str | None, bool]:
    """The roles in the organization and in the project, and whether the user is an instance administrator."""
    office = OrganizationMember.get_or_none(user=user)
    member = ProjectMember.get_or_none(user=user)
    return office and office.role, member and member.role, User.get_by_id(user.id).is_instance_admin


def test_the_first_sign_in_makes_a_user_and_the_next_finds_it(services: Services) -> None:
    first = sign_in(services, username="Ada@Example.com")
    assert (first.username, first.display_name, first.is_instance_admin) == ("ada", "Ada", False)
    assert sign_in(services, username="renamed-there") == first
    assert User.select().count() == 1
    event = Event.get(Event.action == "user.created")
    assert (event.actor_kind, event.actor_name, event.address) == ("system", "oidc", "10.0.0.1")
    assert event.after == {"username": "ada", "issuer": ISSUER, "subject": "s-1"}
    assert Event.select().where(Event.action == "session.opened").count() == 2


def test_no_account_that_was_there_is_taken_over(services: Services, factories: Factories) -> None:
    local = factories.user("ada", is_instance_admin=True)
    names = [sign_in(services, subject=subject).username for subject in ("s-1", "s-2", "s-1", "s-3")]
    assert names == ["ada-2", "ada-3", "ada-2", "ada-4"]
    assert not IdentityLink.select().where(IdentityLink.user == local).exists()
    other = sign_in(services, subject="s-1", issuer="https://other.example.com")
    assert other.username == "ada-5"


def test_a_long_name_leaves_room_for_its_number(services: Services) -> None:
    names = [sign_in(services, subject=str(number), username="x" * 100).username for number in range(2)]
    assert names == ["x" * 63, "x" * 61 + "-2"]


@given(st.text())
def test_any_name_of_the_provider_becomes_a_username(text: str) -> None:
    name = username_from(text)
    assert check_username(name) == name


def test_names_are_kept_as_far_as_the_rules_allow() -> None:
    found = {text: username_from(text) for text in ("Ada.Lovelace@x.org", "José Núñez", "--a__b..", "日本", "a+b@x")}
    assert list(found.values()) == ["ada.lovelace", "jose-nunez", "a-b", "user", "a-b"]


def test_no_password_opens_such_an_account(services: Services) -> None:
    sign_in(services)
    for password in ("", PASSWORD, "!"):
        with pytest.raises(AuthenticationRequired):
            services.sessions.sign_in("ada", password, **WHERE)


def test_a_disabled_user_stays_outside_and_keeps_no_new_role(services: Services, project: Project) -> None:
    user = sign_in(services)
    User.update(disabled_at_ms=1).where(User.id == user.id).execute()
    opened = Session.select().count()
    with pytest.raises(PermissionDenied, match="'ada' is disabled"):
        sign_in(services, "bosses")
    assert roles(user) == (None, None, False)
    assert Session.select().count() == opened


def test_nobody_new_comes_in_where_sign_up_is_off(services: Services, override: Callable[..., Settings]) -> None:
    known = sign_in(services)
    db.close_database()
    closed = bootstrap.build(override(oidc={"allow_sign_up": False}), process="web")
    assert sign_in(closed) == known
    with pytest.raises(PermissionDenied, match="no account"):
        sign_in(closed, subject="s-2", username="eve")
    assert not User.select().where(User.username == "eve").exists()


@pytest.mark.parametrize("subject", ["", "x" * 256])
def test_a_subject_that_cannot_be_kept_is_refused(services: Services, subject: str) -> None:
    with pytest.raises(InvalidInput, match="subject"):
        sign_in(services, subject=subject)


def test_two_windows_at_once_make_one_account(services: Services) -> None:
    found: list[Any] = []
    barrier = threading.Barrier(4)

    def come() -> None:
        with db.connection():
            barrier.wait()
            found.append(services.oidc.sign_in(somebody(), **WHERE)[0].username)

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) <= {"ada"}
    assert found
    assert User.select().count() == 1


def test_roles_come_change_and_go_with_the_groups(services: Services, project: Project) -> None:
    user = sign_in(services, "ml", "lost", "gone", "unheard-of")
    assert roles(user) == ("member", "editor", False)
    sign_in(services, "ml", "leads", "roots")
    assert roles(user) == ("member", "admin", True)
    sign_in(services, "bosses", "ml")
    assert roles(user) == ("owner", "editor", False)
    sign_in(services, "staff")
    assert roles(user) == ("member", None, False)
    sign_in(services)
    assert roles(user) == (None, None, False)
    assert MappedRole.select().count() == 0


def test_what_changed_is_in_the_log_and_what_did_not_is_not(services: Services, project: Project) -> None:
    user = sign_in(services, "ml")
    sign_in(services, "ml")
    sign_in(services, "roots")
    sign_in(services)
    told = [
        (event.action, event.before, event.after)
        for event in Event.select()
        .where(Event.object_id == user.public_id, Event.actor_name == "oidc")
        .order_by(Event.id)
        if event.action != "user.created"
    ]
    assert sorted(told, key=str) == sorted(
        [
            ("project.member_set", {"role": None}, {"role": "editor"}),
            ("organization.member_set", {"role": None}, {"role": "member"}),
            ("user.updated", {"is_instance_admin": False}, {"is_instance_admin": True}),
            ("project.member_removed", {"role": "editor"}, {}),
            ("organization.member_removed", {"role": "member"}, {}),
            ("user.updated", {"is_instance_admin": True}, {"is_instance_admin": False}),
        ],
        key=str,
    )


def test_roles_given_by_hand_stay(services: Services, factories: Factories, project: Project) -> None:
    user = sign_in(services)
    owner = factories.actor(system_owner(project))
    services.organizations.set_member(owner, "org", "ada", "admin")
    services.projects.set_member(owner, project, "ada", "viewer")
    User.update(is_instance_admin=True).where(User.id == user.id).execute()
    sign_in(services, "ml", "staff", "roots")
    assert roles(user) == ("admin", "editor", True)
    sign_in(services)
    assert roles(user) == ("admin", "viewer", True)


def test_a_role_by_hand_in_a_project_keeps_the_place_in_the_organization(
    services: Services, factories: Factories, project: Project
) -> None:
    user = sign_in(services, "staff")
    services.projects.set_member(factories.actor(system_owner(project)), project, "ada", "viewer")
    sign_in(services)
    assert roles(user) == ("member", "viewer", False)
    services.projects.remove_member(factories.actor(system_owner(project)), project, "ada")
    sign_in(services)
    assert roles(user) == (None, None, False)


def test_the_last_owner_stays_one(services: Services, factories: Factories, project: Project) -> None:
    user = sign_in(services, "bosses")
    first = system_owner(project)
    OrganizationMember.delete().where(OrganizationMember.user == first).execute()
    sign_in(services)
    assert roles(user)[0] == "owner"
    OrganizationMember.create(organization=project.organization_id, user=first, role="owner")
    sign_in(services)
    assert roles(user)[0] is None


def test_the_last_administrator_stays_one(services: Services, factories: Factories) -> None:
    user = sign_in(services, "roots")
    assert sign_in(services).is_instance_admin
    factories.user("other", is_instance_admin=True)
    assert not sign_in(services).is_instance_admin
    assert sign_in(services, "roots") == user


def test_whoever_was_removed_by_hand_comes_back_only_by_a_group(
    services: Services, factories: Factories, project: Project
) -> None:
    user = sign_in(services, "ml")
    services.organizations.remove_member(factories.actor(system_owner(project)), "org", "ada")
    sign_in(services)
    assert roles(user) == (None, None, False)
    sign_in(services, "ml")
    assert roles(user) == ("member", "editor", False)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (OidcSettings(role_mappings=("ml=acme:boss",)), "oidc.role_mappings.*'boss'"),
        (OidcSettings(issuer="http://id.example.com", client_id="x"), "oidc.issuer.*no https"),
        (OidcSettings(issuer="id.example.com", client_id="x"), "oidc.issuer.*no https"),
        (OidcSettings(issuer=ISSUER), "oidc.client_id"),
        (OidcSettings(issuer=ISSUER, client_id="x", scopes="profile"), "oidc.scopes.*openid"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(settings: OidcSettings, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        check_settings(Settings(oidc=settings))


def test_a_missing_library_stops_the_start_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Settings(oidc=OidcSettings(issuer="http://127.0.0.1:9", client_id="x", role_mappings=("a=b:owner",)))
    assert len(check_settings(good)) == 1
    monkeypatch.setattr(oidc, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"modelyard\[oidc\]"):
        check_settings(good)
    assert check_settings(Settings()) == ()
