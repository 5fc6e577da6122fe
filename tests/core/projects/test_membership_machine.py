"""Whoever comes, goes, invites and hands over, in any order: there is an owner, and a stranger finds nothing."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from modelyard.config.settings import DataSettings, Settings
from modelyard.core import bootstrap, db
from modelyard.core.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.access import find_organization, find_project
from modelyard.core.projects.models import OrganizationMember, Project, ProjectMember
from tests.factories import Factories

PEOPLE = ("ann", "bo", "cy")
people = strategies.sampled_from(PEOPLE)
offices = strategies.sampled_from(policy.ORGANIZATION_ROLES)
EXPECTED = (Conflict, InvalidInput, NotFound, PermissionDenied)


class Membership(RuleBasedStateMachine):
    """An organization with one project; `roles` is what the model says of its members."""

    template: ClassVar[Path]

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        directory = Path(self.folder.name)
        shutil.copy(self.template, directory / "modelyard.db")
        self.services = bootstrap.build(Settings(data=DataSettings(directory=directory)), process="web")
        factories = Factories(self.services)
        self.users = {name: factories.user(name) for name in (*PEOPLE, "stranger")}
        self.actors = {name: factories.actor(user) for name, user in self.users.items()}
        factories.organization("acme", owner=self.users["ann"])
        self.services.projects.create(self.actors["ann"], "acme", slug="churn", name="Churn")
        self.roles = {"ann": "owner"}
        self.links: list[str] = []
        self.slugs = (f"acme-{number}" for number in itertools.count())
        self.slug = "acme"

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            db.close_database()
            self.folder.cleanup()

    def actor(self, name: str) -> Actor:
        """The person, without what they knew of their roles before."""
        self.actors[name].roles.clear()
        return self.actors[name]

    def attempt(self, act: Any) -> bool:
        """Do it, or see that nothing was changed by the refusal; says whether it was done."""
        before = self.seen()
        try:
            act()
        except EXPECTED:
            assert self.seen() == before
            return False
        self.roles = dict(self.seen())
        return True

    def seen(self) -> list[tuple[str, str]]:
        return sorted((row.user.username, row.role) for row in OrganizationMember.select())

    @rule(who=people, whom=people, role=offices)
    def set_role(self, who: str, whom: str, role: str) -> None:
        mine, before = self.roles.get(who), self.roles.get(whom)
        done = self.attempt(lambda: self.services.organizations.set_member(self.actor(who), self.slug, whom, role))
        if done:
            assert mine == "owner" or (mine == "admin" and "owner" not in {role, before})

    @rule(who=people, whom=people)
    def remove(self, who: str, whom: str) -> None:
        mine, before = self.roles.get(who), self.roles.get(whom)
        if self.attempt(lambda: self.services.organizations.remove_member(self.actor(who), self.slug, whom)):
            assert mine == "owner" or (mine == "admin" and before != "owner")
            assert whom not in self.roles

    @rule(who=people)
    def leave(self, who: str) -> None:
        if self.attempt(lambda: self.services.organizations.leave(self.actor(who), self.slug)):
            assert who not in self.roles

    @rule(who=people, whom=people, keep=strategies.sampled_from(["member", "admin", None]))
    def transfer(self, who: str, whom: str, keep: str | None) -> None:
        mine = self.roles.get(who)
        if self.attempt(lambda: self.services.organizations.transfer(self.actor(who), self.slug, whom, keep)):
            assert (mine, self.roles[whom], self.roles.get(who)) == ("owner", "owner", keep)

    @rule(who=people, whom=people, role=strategies.sampled_from(policy.PROJECT_ROLES))
    def give_project(self, who: str, whom: str, role: str) -> None:
        project = Project.get()
        self.attempt(lambda: self.services.projects.set_member(self.actor(who), project, whom, role))

    @rule(who=people, role=offices, with_project=strategies.booleans())
    def invite(self, who: str, role: str, with_project: bool) -> None:
        wish = {"project": "churn", "project_role": "viewer"} if with_project else {}
        made: list[str] = []

        def act() -> None:
            made.append(self.services.invitations.create(self.actor(who), self.slug, role=role, **wish)[1])

        if self.attempt(act):
            assert self.roles[who] == "owner" or (self.roles[who] == "admin" and role != "owner")
            self.links += made

    @rule(who=people, data=strategies.data())
    def accept(self, who: str, data: Any) -> None:
        if not self.links:
            return
        link = data.draw(strategies.sampled_from(self.links))
        before = self.roles.get(who)
        if self.attempt(lambda: self.services.invitations.accept(self.actor(who), link)):
            self.links.remove(link)
            order = policy.ORGANIZATION_ROLES
            assert before is None or order.index(self.roles[who]) >= order.index(before)
            with contextlib.suppress(NotFound):
                self.services.invitations.accept(self.actor(who), link)
                raise AssertionError("a link was good twice")

    @rule(who=people)
    def rename(self, who: str) -> None:
        slug = next(self.slugs)
        if self.attempt(lambda: self.services.organizations.edit(self.actor(who), self.slug, {"slug": slug})):
            assert self.roles[who] == "owner"
            self.slug = slug

    @invariant()
    def there_is_an_owner(self) -> None:
        if hasattr(self, "roles"):
            assert "owner" in dict(self.seen()).values()

    @invariant()
    def strangers_find_nothing(self) -> None:
        if not hasattr(self, "roles"):
            return
        for name in (*PEOPLE, "stranger"):
            if name not in self.roles:
                for slug in (self.slug, "acme", "nope"):
                    with pytest.raises(NotFound, match=f"no organization '{slug}'"):
                        find_organization(self.actor(name), slug)
                    with pytest.raises(NotFound, match=f"no project '{slug}/churn'"):
                        find_project(self.actor(name), slug, "churn")

    @invariant()
    def roles_in_projects_are_members(self) -> None:
        if hasattr(self, "roles"):
            assert {row.user.username for row in ProjectMember.select()} <= set(self.roles)


def test_there_is_always_an_owner_and_strangers_find_nothing(sqlite_template: Path) -> None:
    Membership.template = sqlite_template
    few = settings(
        max_examples=8, stateful_step_count=25, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(Membership, settings=few)
