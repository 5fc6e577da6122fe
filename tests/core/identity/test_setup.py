"""A server without users has one way in, which closes behind the first."""

from __future__ import annotations

import threading

import pytest

from modelyard.core import bootstrap, db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.identity.models import OneTimeLink, User
from modelyard.core.notifications.models import Event
from tests.core.identity.conftest import stored
from tests.factories import PASSWORD, Factories

pytestmark = pytest.mark.usefixtures("cheap")
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


def link_of(services: Services) -> str:
    url = services.setup.create_link()
    assert url is not None
    return url.rpartition("/")[2]


def test_the_link_makes_the_first_administrator_once(services: Services) -> None:
    url = services.setup.create_link()
    assert url is not None
    secret = url.rpartition("/")[2]
    assert url == f"{services.settings.public_url}/setup/{secret}"
    assert secret not in stored("one_time_link")
    made = services.setup.use_link(secret, username="Ada", password=PASSWORD, email="ada@example.com")
    assert (made.username, made.is_instance_admin, made.email) == ("ada", True, "ada@example.com")
    assert services.sessions.sign_in("ada", PASSWORD, address="", user_agent="", request_id="")[0] == made
    event = Event.get(Event.action == "user.created")
    assert (event.actor_kind, event.actor_name, event.object_name) == ("system", "set-up link", "ada")
    with pytest.raises(NotFound):
        services.setup.use_link(secret, username="eve", password=PASSWORD)
    assert (User.select().count(), OneTimeLink.select().count()) == (1, 0)


def test_a_link_outlives_restarts(services: Services) -> None:
    first = link_of(services)
    db.close_database()
    restarted = bootstrap.build(services.settings, process="web")
    second = link_of(restarted)
    assert first != second
    restarted.setup.use_link(first, username="ada", password=PASSWORD)
    with pytest.raises(NotFound):
        restarted.setup.use_link(second, username="eve", password=PASSWORD)


@on_sqlite
def test_many_starts_leave_few_links(services: Services) -> None:
    links = [link_of(services) for _ in range(15)]
    assert OneTimeLink.select().count() == 10
    services.setup.use_link(links[-10], username="ada", password=PASSWORD)


def test_once_there_is_a_user_there_is_no_way_in(services: Services, factories: Factories) -> None:
    secret = link_of(services)
    factories.user("ada")
    with pytest.raises(NotFound):
        services.setup.use_link(secret, username="eve", password=PASSWORD)
    assert services.setup.create_link() is None
    assert OneTimeLink.select().count() == 0
    User.delete().execute()
    with pytest.raises(NotFound):
        services.setup.use_link(secret, username="eve", password=PASSWORD)


@on_sqlite
def test_wrong_links_read_like_nothing(services: Services) -> None:
    kept = link_of(services)
    told = set()
    for secret in ("", "x", kept[:-1], kept + "x", "\ud800", OneTimeLink.get().secret_hash):
        for password in (PASSWORD, "short"):
            with pytest.raises(NotFound) as refused:
                services.setup.use_link(secret, username="eve", password=password)
            told.add(str(refused.value))
    assert told == {"There is nothing here."}
    for wish in ({"username": "-", "password": PASSWORD}, {"username": "ada", "password": "short"}):
        with pytest.raises(InvalidInput):
            services.setup.use_link(kept, **wish)
    assert services.setup.use_link(kept, username="ada", password=PASSWORD).is_instance_admin


def test_of_two_at_once_one_is_first(services: Services) -> None:
    secrets = [link_of(services), link_of(services)]
    barrier = threading.Barrier(2)
    refused: list[str] = []

    def use(number: int) -> None:
        with db.connection():
            barrier.wait(30)
            try:
                services.setup.use_link(secrets[number], username=f"user{number}", password=PASSWORD)
            except NotFound as error:
                refused.append(error.message)
            finally:
                if not db.is_postgresql():
                    db.database.close()

    threads = [threading.Thread(target=use, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert User.select().count() == 1
    assert refused == ["There is nothing here."]
