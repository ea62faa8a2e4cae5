"""Seconds that Djblets takes, as lines of a name and a number, each the least of some rounds.

`djblets.py ROWS BYTES ROUNDS`: a stream of that many rows, and a value of that many bytes, in Django's cache in memory.
"""

import sys
import time

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    SECRET_KEY="not a secret, as nothing is protected here",
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    },
    # Djblets puts the site's domain before each key; Django reads it from its database once.
    INSTALLED_APPS=["django.contrib.sites"],
    SITE_ID=1,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
call_command("migrate", verbosity=0)

from djblets.cache.backend import cache_memoize, cache_memoize_iter  # noqa: E402

KEY = b"0123456789abcdef0123456789abcdef"


def row(number):
    """The row that the Rust side makes; a tuple is what pickle is fastest at."""
    amount = number * 7919 % 1_000_000
    return (number, f"name {number:06}", f"city {number % 100}", amount, number % 3 == 0)


def least(rounds, work):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def drain(items):
    for _ in items:
        pass


def never():
    raise AssertionError("it was stored")


def main():
    count, size, rounds = (int(argument) for argument in sys.argv[1:])
    rows = [row(number) for number in range(count)]
    value = bytes(number * 2654435761 >> 13 & 0xFF for number in range(1 << 16)) * (size >> 16)

    plain = {"compress_large_data": False}
    sealed = {"compress_large_data": True, "use_encryption": True, "encryption_key": KEY}
    for name, options in ("", plain), (" sealed", sealed):
        times = {"write": [], "read": []}
        for _ in range(rounds):
            times["write"].append(least(1, lambda: drain(
                cache_memoize_iter("rows" + name, lambda: iter(rows), force_overwrite=True, **options))))
            times["read"].append(least(1, lambda: drain(
                cache_memoize_iter("rows" + name, never, **options))))
        for what, found in times.items():
            print(f"stream{name} {what} {min(found)}")

    def large(overwrite):
        compute = (lambda: value) if overwrite else never
        cache_memoize("large", compute, large_data=True, force_overwrite=overwrite, **sealed)

    print("value sealed write", least(rounds, lambda: large(True)))
    print("value sealed read", least(rounds, lambda: large(False)))

    cache_memoize("small", lambda: "value")
    times = 1000
    print("hit", least(rounds, lambda: [cache_memoize("small", never) for _ in range(times)]) / times)


main()
