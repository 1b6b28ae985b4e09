"""django-helpdesk's part of benchmarks/helpdesk.py, run by the Python of its own environment: not part of mailflow.

    python benchmarks/helpdesk_side.py '{"folder": ..., "host": ..., ...}'

Prints the seconds of CPU that `get_email` took, and how many tickets there are. Start-up is not counted.
Its database is SQLite with a write-ahead log, which is faster than Django's default.
"""

import json
import sys
import time
from email.utils import getaddresses
from pathlib import Path
from typing import Any


def settings(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "SECRET_KEY": "of a benchmark",
        "USE_TZ": True,
        "ROOT_URLCONF": __name__,
        "MEDIA_ROOT": str(Path(given["folder"]) / "media"),
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(given["folder"]) / "helpdesk.sqlite3"),
                "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"},
            }
        },
        "INSTALLED_APPS": [
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.sites",
            "django.contrib.humanize",
            "django.contrib.messages",
            "helpdesk",
        ],
        "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        "SITE_ID": 1,
        "HELPDESK_TEAMS_MODE_ENABLED": False,
        "EMAIL_BACKEND": f"{__name__}.ToTheMailboxOfTheBenchmark" if given["acknowledges"] else given["no_backend"],
        "EMAIL_HOST": given["host"],
        "EMAIL_PORT": given["submission_port"],
        "EMAIL_HOST_USER": given["user"],
        "EMAIL_HOST_PASSWORD": given["password"],
        "EMAIL_USE_TLS": True,
        "DEFAULT_FROM_EMAIL": given["user"],
        "LOGGING_CONFIG": None,
    }


def main() -> None:
    given = json.loads(sys.argv[1])
    import django  # type: ignore[import-not-found]  # installed in the other environment
    from django.conf import settings as configured  # type: ignore[import-not-found]

    configured.configure(**settings(given))
    django.setup()
    from django.core.mail.backends.smtp import EmailBackend  # type: ignore[import-not-found]
    from django.core.management import call_command  # type: ignore[import-not-found]
    from django.urls import include, path  # type: ignore[import-not-found]

    class ToTheMailboxOfTheBenchmark(EmailBackend):  # type: ignore[misc]
        """Hands each mail to the real server, for a mailbox that this server has."""

        def _send(self, message: Any) -> Any:
            message.to = [given["recipient"]] if any(address for _, address in getaddresses(message.to)) else []
            return super()._send(message)

    sys.modules[__name__].urlpatterns = [path("", include("helpdesk.urls"))]  # type: ignore[attr-defined]
    sys.modules[__name__].ToTheMailboxOfTheBenchmark = ToTheMailboxOfTheBenchmark  # type: ignore[attr-defined]
    call_command("migrate", verbosity=0)
    from helpdesk.email import process_email  # type: ignore[import-not-found]
    from helpdesk.models import Queue, Ticket  # type: ignore[import-not-found]

    Queue.objects.create(
        title="Partners",
        slug="partners",
        email_address=given["user"],
        allow_email_submission=True,
        email_box_type="imap",
        email_box_ssl=True,
        email_box_host=given["host"],
        email_box_port=given["imaps_port"],
        email_box_user=given["user"],
        email_box_pass=given["password"],
        email_box_imap_folder=given["mailbox"],
        email_box_interval=0,
    )
    started = time.process_time()
    process_email(quiet=True)
    print(json.dumps({"seconds": time.process_time() - started, "tickets": Ticket.objects.count()}))


if __name__ == "__main__":
    main()
