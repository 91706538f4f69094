//! Which operation a request asks for.

/// An operation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST chat/completions`.
    Chat,
    /// `POST completions`, the older form.
    Completions,
    /// `POST embeddings`.
    Embedding,
    /// `GET models`, `GET models/…`.
    Models,
    /// Anything under `images`: not inspected.
    Image,
    /// Anything under `audio`: not inspected.
    Audio,
    /// Anything else: not inspected.
    Unknown,
}

impl Operation {
    /// The name in policies and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embedding => "embedding",
            Self::Models => "models",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of `uninspected` that it is; `None`: it is inspected.
    pub fn uninspected(self) -> Option<&'static str> {
        match self {
            Self::Chat | Self::Completions | Self::Embedding | Self::Models => None,
            Self::Image => Some("image"),
            Self::Audio => Some("audio"),
            Self::Unknown => Some("path"),
        }
    }

    /// Whether its request has a JSON body that [`super::RequestView`] reads.
    pub fn has_body(self) -> bool {
        matches!(self, Self::Chat | Self::Completions | Self::Embedding)
    }
}

/// Tells the operation from a request's head. `path` is without its query and must be free of dot segments, empty
/// segments and encoded slashes; what is spelled otherwise than the API spells it (letter case, percent-encoding, a
/// slash at the end) is [`Operation::Unknown`].
///
/// The API stands at the root, or behind a version (`/v1`, `/api/v1`, `/v1beta/openai`).
pub fn classify(method: &str, path: &str, _query: &str) -> Operation {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let base = segments.iter().rposition(|segment| is_base(segment)).map_or(0, |at| at.saturating_add(1));
    let (base, rest) = segments.split_at_checked(base).unwrap_or((&[], &segments));
    if base.contains(&"") {
        return Operation::Unknown;
    }
    match (method, rest) {
        ("POST", ["chat", "completions"]) => Operation::Chat,
        ("POST", ["completions"]) => Operation::Completions,
        ("POST", ["embeddings"]) => Operation::Embedding,
        ("GET", ["models"]) => Operation::Models,
        ("GET", ["models", name @ ..]) if !name.contains(&"") => Operation::Models,
        (_, ["images", ..]) => Operation::Image,
        (_, ["audio", ..]) => Operation::Audio,
        _ => Operation::Unknown,
    }
}

/// Whether a segment ends the part of the path before the API: `v1`, `v1beta`, `openai`, `api`.
fn is_base(segment: &str) -> bool {
    let version = segment.strip_prefix('v').unwrap_or_default();
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    let rest = version.get(digits..).unwrap_or_default();
    segment == "openai" || segment == "api" || (digits > 0 && matches!(rest, "" | "alpha" | "beta"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apis_paths_are_known_behind_any_version() {
        for base in ["", "/v1", "/api/v1", "/openai/v1", "/v1beta/openai", "/tenant/x/v1"] {
            let of = |method: &str, path: &str| classify(method, &format!("{base}{path}"), "");
            assert_eq!(of("POST", "/chat/completions"), Operation::Chat, "{base}");
            assert_eq!(of("POST", "/completions"), Operation::Completions);
            assert_eq!(of("POST", "/embeddings"), Operation::Embedding);
            assert_eq!(of("GET", "/models"), Operation::Models);
            assert_eq!(of("GET", "/models/gpt-4o"), Operation::Models);
            assert_eq!(of("POST", "/images/generations"), Operation::Image);
            assert_eq!(of("POST", "/audio/speech"), Operation::Audio);
        }
    }

    #[test]
    fn whatever_is_spelled_otherwise_is_not_inspected() {
        for path in [
            "/v1/chat/completions/",
            "/v1//chat/completions",
            "//v1/chat/completions",
            "/v1/Chat/Completions",
            "/v1/%63hat/completions",
            "/v1/chat/completions;x",
            "/v1/files/chat/completions",
            "/openai/deployments/gpt/chat/completions",
            "/v1/responses",
            "/v1x/chat/completions",
            "v1/chat/completions/x",
            "/",
            "",
        ] {
            assert_eq!(classify("POST", path, ""), Operation::Unknown, "{path}");
        }
        for method in ["GET", "DELETE", "post", "PUT", "OPTIONS"] {
            assert_eq!(classify(method, "/v1/chat/completions", ""), Operation::Unknown, "{method}");
        }
        assert_eq!(classify("DELETE", "/v1/models/ft:x", ""), Operation::Unknown);
        assert_eq!(Operation::Unknown.uninspected(), Some("path"));
    }
}
