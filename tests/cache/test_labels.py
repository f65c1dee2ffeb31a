"""Whose entry it is, in short."""

from __future__ import annotations

import hashlib

import pytest

from litellm_tokenopt.cache.labels import tenant_label
from litellm_tokenopt.request import Tenant

HASH = hashlib.sha256(b"sk-1").hexdigest()


@pytest.mark.parametrize(
    ("tenant", "label"),
    [
        (Tenant(), ""),
        (Tenant(team="blue", key=HASH, user="ann", end_user="bob"), f"team:blue user:ann end_user:bob key:{HASH[:12]}"),
        (Tenant(user="Ann  of\nKent"), "user:Ann_of_Kent"),
        (Tenant(team='{"org": "acme", "tenant": 7}'), "org:acme tenant:7"),
        (Tenant(team="[1]"), "team:[1]"),
        (Tenant(user="x" * 99), "user:" + "x" * 64),
    ],
)
def test_label(tenant: Tenant, label: str) -> None:
    """Team, user and key, as far as they're known; each part is one word."""
    assert tenant_label(tenant) == label


@pytest.mark.parametrize("tenant", [Tenant(key="sk-secret"), Tenant(team='{"user_token": "sk-secret"}')])
def test_no_secrets(tenant: Tenant) -> None:
    """A key that is no hash yet shows as one."""
    assert "sk-secret" not in tenant_label(tenant)
    assert len(tenant_label(tenant)) < 30
