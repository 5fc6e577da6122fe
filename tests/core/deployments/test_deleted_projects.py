"""What runs in a project that is deleted ends with it, and runs again when it is restored."""

from __future__ import annotations

from modelyard.core import db
from modelyard.core.projects.models import Project
from tests.core.deployments.conftest import World


def delete(world: World) -> None:
    world.services.projects.delete(world.owner, world.project, confirm=world.project.slug)


def restore(world: World) -> None:
    slug = world.project.organization.slug
    world.services.projects.restore(world.owner, slug, world.project.public_id)


def test_it_ends_and_begins_with_its_project(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    assert len(world.target.running) == 2
    delete(world)
    assert world.step() is None
    assert (world.target.running, world.seen()) == ({}, [])
    assert (world.get().desired_status, world.get().status) == ("running", "stopped")
    restore(world)
    world.settle()
    assert (world.get().status, len(world.target.running)) == ("ready", 2)


def test_a_restoration_while_it_is_being_ended_is_seen(world: World) -> None:
    world.create()
    world.settle()
    delete(world)

    def restore_now(spec: object) -> None:
        world.target.ailing.clear()
        with db.connection():
            restore(world)

    world.target.ailing["stop"] = restore_now
    world.settle()
    assert Project.get_by_id(world.project.id).deleted_at_ms is None
    assert (world.get().status, len(world.target.running)) == ("ready", 1)


def test_the_end_of_an_organization_is_that_of_all_in_it(world: World) -> None:
    world.create()
    world.settle()
    slug = world.project.organization.slug
    world.services.organizations.delete(world.owner, slug, confirm=slug)
    assert world.step() is None
    assert world.target.running == {}
