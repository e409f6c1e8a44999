# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of a model's faces, and what they turned out to have."""

from __future__ import annotations

import functools
import hashlib

from ffgan import faces
from ffgan.attributes import ATTRIBUTES, Attribute, networks
from ffgan.control import AttributeMap, Constraints, attribute_map
from ffgan.errors import ExtraError, ModelError, UsageError
from ffgan.model import Model
from ffgan.server.http.errors import RequestError


def attributes_of(model: Model) -> AttributeMap:
    """The attributes that a model's faces can be asked for.

    Raises RequestError where it has none, or this server lacks what measures them.
    """
    try:
        fitted = attribute_map(model)
    except ModelError as error:
        # Its file is named by its name only: where it lies is no business of clients.
        message = str(error)
        if model.path is not None:
            message = message.replace(str(model.path), model.path.name)
        raise RequestError(422, "no_attributes", message) from None
    check_installed()
    return fitted


def check_installed() -> None:
    """Raises RequestError where what measures attributes is missing; loads nothing."""
    try:
        _find_files()
    except ExtraError as error:
        raise RequestError(501, "unsupported", str(error)) from None


@functools.cache
def _find_files() -> None:
    for file in (faces.LANDMARKS_FILE, faces.LANDMARKS_68_FILE, faces.EMBEDDING_FILE):
        faces.model_file(file)
    for network in (networks.AGE_FILE, networks.GENDER_FILE):
        networks.find(network)


def check(constraints: Constraints, attributes: AttributeMap) -> None:
    """Raises RequestError for what the model cannot do; it names the parameter."""
    for one in constraints.each:
        name = one.attribute.name
        try:
            Constraints((one,)).check(attributes.limits)
        except UsageError as error:
            raise RequestError(422, "invalid_parameter", str(error), parameter=name) from None
        except KeyError:
            known = ", ".join(attribute.name for attribute in available(attributes))
            message = f"{name}: this model has no such attribute; there are {known}"
            raise RequestError(422, "invalid_parameter", message, parameter=name) from None


@functools.lru_cache(maxsize=4)
def digest(attributes: AttributeMap) -> str:
    """What distinguishes it from another fit of the same model."""
    return hashlib.sha256(attributes.encode().encode()).hexdigest()[:16]


def available(attributes: AttributeMap) -> list[Attribute]:
    """Those that the model has, in the table's order."""
    return [one for one in ATTRIBUTES.values() if one.column in attributes.limits]
