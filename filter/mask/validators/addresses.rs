//! Addresses on networks: IP, MAC, e-mail, and URLs that carry a password.
use std::net::{Ipv4Addr, Ipv6Addr};

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// Four decimal octets without leading zeros that name somebody: not the unspecified network 0, not the loopback, not
/// a mask or a broadcast.
pub fn ipv4(value: &[u8]) -> bool {
    let Some(address) = text(value).and_then(|text| text.parse::<Ipv4Addr>().ok()) else { return false };
    !matches!(address.octets(), [0 | 127 | 255, ..])
}

/// Groups of two digits at most, all written: a row of bytes, as fingerprints of certificates are, and no address.
fn row_of_bytes(value: &[u8]) -> bool {
    value.split(|&b| b == b':').all(|group| matches!(group.len(), 1 | 2))
}

/// An address of RFC 4291 that names somebody: two groups, five hex digits and one decimal digit at least.
pub fn ipv6(value: &[u8]) -> bool {
    let hex = value.iter().filter(|b| b.is_ascii_hexdigit()).count();
    let groups = value.split(|&b| b == b':').filter(|group| !group.is_empty()).count();
    hex >= 5
        && groups >= 2
        && value.iter().any(u8::is_ascii_digit)
        && !row_of_bytes(value)
        && text(value).is_some_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// What stands behind the word that says what it is, and a colon.
fn named(value: &[u8]) -> &[u8] {
    let colon = memchr::memchr(b':', value);
    colon.and_then(|at| value.get(at.wrapping_add(1)..)).unwrap_or_default()
}

/// The same behind `IPv6:`.
pub fn ipv6_named(value: &[u8]) -> bool {
    ipv6(named(value))
}

/// Six octets that are not all alike: no zeros, no broadcast. The form of three groups has a letter, since it would
/// otherwise be a number with dots.
pub fn mac(value: &[u8]) -> bool {
    let mut hex = value.iter().filter(|b| b.is_ascii_hexdigit());
    let first = hex.next();
    let dotted = value.contains(&b'.');
    hex.any(|b| Some(b) != first) && (!dotted || value.iter().any(u8::is_ascii_alphabetic))
}

/// The same behind `MAC:`.
pub fn mac_named(value: &[u8]) -> bool {
    mac(named(value))
}

/// Endings of file names and of systemd's units that are no top-level domains: `logo@2x.png` is no address, nor is
/// `getty@tty1.service`.
const FILES: &[&[u8]] = &[
    b"png", b"jpg", b"jpeg", b"gif", b"webp", b"svg", b"ico", b"bmp", b"avif", b"js", b"mjs", b"cjs", b"ts",
    b"tsx", b"jsx", b"css", b"scss", b"html", b"htm", b"json", b"yaml", b"yml", b"toml", b"lock", b"xml",
    b"jar", b"whl", b"tgz", b"gz", b"exe", b"dll", b"so", b"txt", b"csv", b"pdf", b"conf", b"tar", b"woff",
    b"woff2", b"service", b"socket", b"timer", b"slice", b"scope", b"mount", b"swap", b"device",
];

/// Local parts of what is no mailbox: a repository's `git@`, and what is written for a password in an example's URL.
const NOBODY: &[&[u8]] = &[b"git", b"pass", b"passwd", b"password", b"pwd"];

/// Whether an ending is one of a file's name, in any case. Most are of another length, or begin otherwise.
fn is_file(last: &[u8]) -> bool {
    let Some(first) = last.first().map(u8::to_ascii_lowercase) else { return false };
    let alike = |ending: &&&[u8]| ending.len() == last.len() && ending.first() == Some(&first);
    FILES.iter().filter(alike).any(|ending| ending.eq_ignore_ascii_case(last))
}

/// An e-mail address: RFC 5321's lengths, and no file name, nor what is nobody's.
pub fn email(value: &[u8]) -> bool {
    let Some(at) = memchr::memrchr(b'@', value) else { return false };
    let Some((local, domain)) = value.split_at_checked(at) else { return false };
    let last = domain.rsplit(|&b| b == b'.').next().unwrap_or_default();
    let file = last != b"so" && is_file(last);
    !file && !NOBODY.iter().any(|nobody| nobody.eq_ignore_ascii_case(local))
}

/// An address whose local part holds an apostrophe between letters, such as an Irish or an Italian name.
pub fn email_apostrophe(value: &[u8]) -> bool {
    let local = value.split(|&b| b == b'@').next().unwrap_or_default();
    let outer = [local.first(), local.last()].into_iter().flatten().all(u8::is_ascii_alphanumeric);
    let inner = local
        .windows(3)
        .any(|w| matches!(w, [a, b'\'', b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic()));
    let once = local.iter().filter(|&&b| b == b'\'').count() == 1;
    outer && inner && once && email(value)
}

/// What people write for a password in examples.
const PLACEHOLDERS: &[&[u8]] =
    &[b"password", b"passwd", b"pass", b"pwd", b"user", b"username", b"secret", b"token", b"port"];

/// `scheme://user:password@` where the password is one, not a stand-in.
pub fn url_credentials(value: &[u8]) -> bool {
    let user_and_password =
        memchr::memmem::find(value, b"://").and_then(|at| value.get(at.wrapping_add(3)..));
    let Some(both) = user_and_password.and_then(|rest| rest.strip_suffix(b"@")) else { return false };
    let Some(colon) = memchr::memchr(b':', both) else { return false };
    let password = both.get(colon.wrapping_add(1)..).unwrap_or_default();
    let stand_in = PLACEHOLDERS.iter().any(|known| known.eq_ignore_ascii_case(password));
    let starred = password.iter().all(|b| matches!(b, b'*' | b'x' | b'X' | b'.'));
    !stand_in && !starred && !password.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn addresses_really_parse_and_name_somebody() {
        table(
            ipv4,
            &["1.2.3.4", "192.168.0.255", "8.8.8.8"],
            &["256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5", "", "127.0.0.1", "0.0.0.0", "255.255.255.0"],
        );
        let good = ["2001:db8::1", "fe80::1", "1:2:3:4:5:6:7:800", "::ffff:10.0.0.1", "2001:db8::"];
        let bad = [
            "::1",
            "::",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8",
            "AB:1D:22:0C:4F:9E:77:10",
            "1::2",
            "a::b",
            "dead::beef",
            "12:34:56",
            "2001::db8::1",
            "2001:db8::12345",
            "fe80:::1",
        ];
        table(ipv6, &good, &bad);
        table(ipv6_named, &["IPv6:2001:db8::1"], &["IPv6:::1", "2001:db8::1", "IPv6"]);
        table(mac_named, &["MAC:00:1a:2b:3c:4d:5e"], &["MAC:00:00:00:00:00:00", ""]);
        table(
            mac,
            &["00:1a:2b:3c:4d:5e", "001a.2b3c.4d5e"],
            &["00:00:00:00:00:00", "ff-ff-ff-ff-ff-ff", "1234.5678.9012"],
        );
    }

    #[test]
    fn file_names_and_repositories_are_no_mail() {
        table(
            email,
            &["jane@example.com", "jane@example.so", "digit@x.io"],
            &[
                "logo@2x.png",
                "git@github.com",
                "x@1.a.JPG",
                "nobody",
                "getty@tty1.service",
                "font@1.woff2",
                "pass@example.com",
            ],
        );
        table(
            email_apostrophe,
            &["pat.o'brien@example.com"],
            &["'jane@example.com", "jane'@example.com", "a'b'c@example.com", "jane@example.com"],
        );
    }

    #[test]
    fn a_password_in_a_url_is_one() {
        table(
            url_credentials,
            &["postgres://app:s3cr3t!@", "redis://:hunter2@"],
            &["postgres://user:password@", "https://u:****@", "https://u:xxx@", "https://u:@", "mailto:x@"],
        );
    }
}
