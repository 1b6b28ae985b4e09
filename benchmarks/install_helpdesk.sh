#!/bin/sh
# Installs django-helpdesk into an environment of its own, var/helpdesk, for `python -m benchmarks.helpdesk`.
# Nothing of it comes near mailflow's own environment.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
[ -x var/helpdesk/bin/python ] || "$python" -m venv var/helpdesk
var/helpdesk/bin/python -m pip install -q --disable-pip-version-check \
  "django-helpdesk==2.6.1" "Django==5.2.19" "django-cleanup==9.0.0" "djangorestframework==3.18.3" \
  "email-reply-parser==0.5.12" "beautifulsoup4==4.15.0" "Markdown==3.11.3"
