"""Names for runs and models that were given none: easy to say, easy to tell apart."""

from __future__ import annotations

import secrets

_ADJECTIVES = (
    "able amber ample agile airy bold brave brisk bright calm candid clear clever crisp deft eager early fair fleet "
    "fond frank fresh gentle glad golden grand happy hardy honest jolly keen kind lively loyal lucid mellow merry mild "
    "neat nimble noble patient placid plucky polite proud quick quiet rapid ready robust serene sharp silent silver "
    "smart snappy solid spry stable steady sunny swift tidy tranquil trusty upbeat vivid warm wise witty zesty"
)
_NOUNS = (
    "acorn anchor aspen badger beacon birch bison brook canyon cedar comet coral crane dolphin dune eagle elm ember "
    "falcon fern finch fjord forest fox gale garnet geyser glacier grove harbor hawk heron hill iris jay juniper "
    "kestrel lagoon lake lark laurel leopard lily linden lynx maple marsh meadow moose nebula oak ocean orchid osprey "
    "otter owl pebble pine plover quail quartz raven reef ridge river robin sparrow spruce stork summit swan thicket "
    "tiger trout valley walnut willow wren yarrow"
)
ADJECTIVES, NOUNS = _ADJECTIVES.split(), _NOUNS.split()


def random_name() -> str:
    """Make up a name like ``brisk-heron-418``; it need not be unique."""
    return f"{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}-{secrets.randbelow(1000)}"
