"""Policy sets as data, for tests to change before they start a guard with them."""

from __future__ import annotations

from typing import Any

CREDENTIAL = "upstream-secret-7f3a9c"
"""The provider's key that Envoy holds; no caller and no record may ever see it."""

Set = dict[str, Any]


def chat(issuer: str, **top: Any) -> Set:
    """One issuer by discovery, one OpenAI connection under /v1, one policy with rules and masking.

    `top` replaces or adds top-level keys."""
    return {
        "version": 1,
        "issuers": [
            {
                "name": "corp",
                "issuer": issuer,
                "audiences": ["rag"],
                "jwks": {"cluster": "idp", "refresh": "10m"},
                "groups_claim": "groups",
            }
        ],
        "connections": [
            {"name": "probes", "protocol": "none", "match": {"path_prefix": "/healthz", "method": "GET"}},
            {
                "name": "chat",
                "protocol": "openai",
                "match": {"path_prefix": "/v1"},
                "policy": "rag-chat",
                "credential": {"header": "authorization", "value": "Bearer ${env:OPENAI_API_KEY}"},
            },
        ],
        "policies": [
            {
                "name": "rag-chat",
                "allow": '"rag-users" in identity.groups',
                "rules": [
                    {"name": "models", "deny": '!(llm.model in ["", "gpt-4o-mini", "gpt-4o"])'},
                    {
                        "name": "prompt-length",
                        "deny": "llm.prompt_chars > 20000",
                        "message": "Prompts are limited to 20000 characters.",
                    },
                    {
                        "name": "injection",
                        "flag": 'prompt.text.matches("(?i)ignore (all|any|previous) .*instructions")',
                    },
                ],
                "mask": {"response": {"entities": ["PII", "SECRETS"]}},
                "uninspected": "deny",
            }
        ],
        "audit": {"cluster": "audit"},
        "unmatched": "deny",
        "expose": "full",
    } | top


def policy(policies: Set, name: str = "rag-chat") -> dict[str, Any]:
    """The policy of that name, to change."""
    return next(policy for policy in policies["policies"] if policy["name"] == name)


def connection(policies: Set, name: str = "chat") -> dict[str, Any]:
    """The connection of that name, to change."""
    return next(connection for connection in policies["connections"] if connection["name"] == name)
