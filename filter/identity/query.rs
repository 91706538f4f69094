//! Query parameters that carry credentials, or have a request read as another one, never go upstream.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::bearer::is_like;

/// Names of parameters that carry a credential, or have an upstream read another method or other headers than the policy
/// did: compared as [`is_named`] does. `token` is none of them: pages of lists go by it.
const SECRET: [&str; 23] = [
    "key",
    "api-key",
    "apikey",
    "api-token",
    "apitoken",
    "jwt",
    "access-token",
    "accesstoken",
    "access-key",
    "auth-token",
    "id-token",
    "oauth-token",
    "bearer-token",
    "subscription-key",
    "authorization",
    "httpHeaders",
    "httpMethod",
    "-method",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-api-key",
    "x-goog-api-key",
];
/// How the names of a signature's parts begin, as AWS writes it into a query.
const SIGNATURE: &str = "x-amz-";

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
    let name = name_of(parameter);
    let name = bare(&name);
    let signs = name.get(..SIGNATURE.len()).is_some_and(|start| is_like(start, SIGNATURE.as_bytes()));
    signs || SECRET.iter().any(|secret| is_like(name, secret.as_bytes()))
}

/// Whether an upstream may take a parameter of a query, with what ends it, for the one of a name: without case after
/// percent-decoding, `_` for `-`, and as [`bare`] has it.
pub fn is_named(parameter: &str, name: &str) -> bool {
    is_like(bare(&name_of(parameter)), bare(name.as_bytes()))
}

fn name_of(parameter: &str) -> Cow<'_, [u8]> {
    let name = parameter.trim_end_matches(['&', ';']).split('=').next().unwrap_or_default();
    percent_decode(name.as_bytes()).into()
}

/// A name without what some servers take off it: what stands behind a `[`, as names of lists have it, or a NUL; blanks,
/// of which a plus is one in forms; a `$` before it.
fn bare(name: &[u8]) -> &[u8] {
    let name = name.split(|byte| matches!(byte, b'[' | 0)).next().unwrap_or(name);
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'+';
    let end = name.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last.saturating_add(1));
    let name = name.get(..end).unwrap_or_default();
    let start = name.iter().position(|byte| !blank(byte)).unwrap_or(end);
    let name = name.get(start..).unwrap_or_default();
    name.strip_prefix(b"$").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_page_names_every_parameter_that_is_taken_away() {
        use crate::pages;
        let signature = format!("{SIGNATURE}*");
        let all = SECRET.into_iter().chain([signature.as_str()]);
        pages::keep("operators.md", &[("stripped parameters", format!("{}\n", pages::words(all)))]);
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
            ("/v1?+key=s", "/v1"),
            ("/v1?key+=s", "/v1"),
            ("/v1?+%2Bkey%2b+=s", "/v1"),
            ("/v1?subscription_key=s&access-token=t&auth-token=u&id-token=v&access-key=w", "/v1"),
            ("/v1?oauth_token=s&a=1", "/v1?a=1"),
            ("/v1?jwt=s&accesstoken=t&api_token=u&apitoken=v&a=1", "/v1?a=1"),
            ("/v1?key[]=s&key%5b0%5D=t&key%00x=u&a=1", "/v1?a=1"),
            ("/v1?$key=s&%24access_token=t", "/v1"),
            ("/v1?$httpHeaders=a:b&$httpMethod=DELETE", "/v1"),
            ("/v1?x-http-method-override=DELETE&_method=DELETE", "/v1"),
            ("/v1?X-Amz-Security-Token=s&X-Amz-Signature=t&x_amz_date=u", "/v1"),
        ];
        for (before, after) in cases {
            assert_eq!(strip_query(before).as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn other_queries_stay_byte_for_byte() {
        for text in [
            "/v1",
            "/v1?",
            "/v1?method=1&x-amz=2&page_token=3&$filter=4",
            "/v1?monkey=1&keys=2&a=key",
            "/key=1",
            "/v1?a=%zz&&b",
            "/v1?page_key=1",
            "/v1?token=1&filter[key]=2&[key]=3",
            "",
        ] {
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
