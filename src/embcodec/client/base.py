"""What is the same of a client that waits and of one that awaits: settings, jobs, copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from ..profiles import Profile
from ..wire.http import Secret, without_credentials
from .job import Job, Partial, Progress
from .order import make_order
from .settings import Settings, make_settings


class BaseClient:
    """What :class:`Client` and :class:`AsyncClient` have in common: everything but the waiting."""

    _settings: Settings

    def __init__(
        self,
        *,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        profile: str | Profile = "mistral",
        timeout: float = 60.0,
        max_retries: int = 5,
        concurrency: int = 4,
        retry_seconds: float = 300.0,
    ) -> None:
        # First of all: whatever is raised from here on shows the variables of this frame in some report.
        api_key, base_url = Secret.wrap(api_key), without_credentials(base_url)
        self._settings = make_settings(
            api_key=api_key,
            base_url=base_url,
            profile=profile,
            timeout=timeout,
            max_retries=max_retries,
            concurrency=concurrency,
            retry_seconds=retry_seconds,
        )

    @property
    def profile(self) -> Profile:
        """How the service writes requests and packs answers."""
        return self._settings.profile

    @property
    def url(self) -> str:
        """Where requests go."""
        return self._settings.url

    def _job(
        self, texts: str | Iterable[str], progress: Progress | bool | None, resume: Partial | None, **asked: Any
    ) -> Job:
        # The decorator shows_progress has made a function of True.
        told = None if isinstance(progress, bool) else progress
        return Job(texts, make_order(self._settings, **asked), told, resume)

    def __repr__(self) -> str:
        settings = getattr(self, "_settings", None)
        if settings is None:  # its construction failed
            return f"{type(self).__name__}(not ready)"
        key = "with a key" if settings.key else "without a key"
        return f"{type(self).__name__}({settings.profile.name}, {settings.url}, {key})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle everything but the key: a copy looks for its own in the environment."""
        return _rebuild, (type(self), self._settings.arguments())

    def __copy__(self) -> Self:
        """Return a client with the same settings, the key among them, and connections of its own."""
        made = type(self).__new__(type(self))
        made._settings = self._settings
        return made

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()


def _rebuild(kind: type[Any], arguments: dict[str, Any]) -> Any:
    return kind(**arguments)
