//! Query parameters that carry credentials never go upstream.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Names of parameters that carry a credential, compared without case after percent-decoding.
const SECRET: [&str; 9] = [
    "key",
    "api_key",
    "api-key",
    "apikey",
    "access_token",
    "access_key",
    "auth_token",
    "id_token",
    "subscription-key",
];

/// The path and query without such parameters; `None` where there are none. The rest stays byte for byte.
///
/// `;` separates parameters for some servers, so it does here. It stays where it stood.
pub fn strip_query(path_and_query: &str) -> Option<String> {
    let (path, query) = path_and_query.split_once('?')?;
    let mut kept = String::with_capacity(query.len());
    let mut stripped = false;
    for parameter in query.split_inclusive(['&', ';']) {
        if is_secret(parameter) {
            stripped = true;
        } else {
            kept.push_str(parameter);
        }
    }
    if !stripped {
        return None;
    }
    let kept = kept.trim_end_matches(['&', ';']);
    Some(if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") })
}

fn is_secret(parameter: &str) -> bool {
    let parameter = parameter.trim_end_matches(['&', ';']);
    let name = parameter.split('=').next().unwrap_or_default();
    let name: Cow<'_, [u8]> = percent_decode(name.as_bytes()).into();
    // A plus is a space in forms, and some servers trim names.
    let name = name.as_ref().trim_ascii();
    SECRET.iter().any(|secret| secret.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_page_names_every_parameter_that_is_taken_away() {
        use crate::pages;
        pages::keep("operators.md", &[("stripped parameters", format!("{}\n", pages::words(SECRET)))]);
    }

    #[test]
    fn a_key_in_the_query_never_goes_upstream() {
        let cases = [
            ("/v1?key=secret", "/v1"),
            ("/v1?key=secret&alt=sse", "/v1?alt=sse"),
            ("/v1?alt=sse&key=secret", "/v1?alt=sse"),
            ("/v1?a=1&key=s&b=2", "/v1?a=1&b=2"),
            ("/v1?key=a&key=b", "/v1"),
            ("/v1?KEY=a", "/v1"),
            ("/v1?%6bey=a", "/v1"),
            ("/v1?%4b%45%59", "/v1"),
            ("/v1?key", "/v1"),
            ("/v1?a=1;key=s;b=2", "/v1?a=1;b=2"),
            ("/v1?access_token=s&api_key=t&api-key=u", "/v1"),
            ("/v1?x=1?&key=s", "/v1?x=1?"),
            ("/v1?%20key=s", "/v1"),
        ];
        for (before, after) in cases {
            assert_eq!(strip_query(before).as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn other_queries_stay_byte_for_byte() {
        for text in
            ["/v1", "/v1?", "/v1?monkey=1&keys=2&a=key", "/key=1", "/v1?a=%zz&&b", "/v1?page_key=1", ""]
        {
            assert_eq!(strip_query(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn stripping_leaves_no_secret_and_is_done_once(text in "[a-z/?&;=%25+46bk ey_]{0,40}(key=s)?[&;]?.{0,6}") {
            if let Some(after) = strip_query(&text) {
                prop_assert_eq!(strip_query(&after), None, "{}", after);
                prop_assert!(after.len() < text.len());
            }
        }
    }
}
