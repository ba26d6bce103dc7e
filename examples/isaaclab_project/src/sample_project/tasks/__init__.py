"""Task registrations for the project."""

from isaaclab_tasks.utils import import_packages

import_packages(__name__, ["utils", ".mdp"])
