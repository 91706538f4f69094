//! Texts in which nothing is to be found: an operator reads what is masked all day, and every needless mask costs trust.
use super::support::{known, name, named, plan, whole};
use crate::mask::Entities;

/// Prose, code, technical pages, tables: all that looks like a number, a key or an address and is none.
const TEXTS: &[&str] = &[
    // Prose.
    "The committee met at 10:30 on 12 March 2024 and again on 2024-03-14; 1,250,000 people (about 3.7 %) had voted by \
     18:00. In 1998 it took 45 minutes, in 2003 only 38. Chapter 12.4.1 says more, on pages 101-117.",
    "Im Jahr 2023 stieg der Umsatz um 12,5 % auf 1.234.567,89 Euro; 2022 waren es 1.099.000 Euro. Siehe Abschnitt 3.2.1 \
     und Anlage 7. Die Sitzung begann am 03.04.2024 um 14:15 Uhr in Raum 2.117.",
    "Le 14 juillet 1789, 954 personnes; la production atteint 300 000 000 de tonnes en 2019, soit 1 234 567 de plus.",
    "El presupuesto es de 612 345 678 pesos, un 4,5 % mas que en 2021; la ley 39/2015 y el articulo 14.2.b lo dicen.",
    "Dear all, please read section 4(b)(ii). Our offer: 3 x 19.99 USD, 2 for 1, ends 31/12. Call it a day. Ref: A-12.",
    "Scores: 21-19, 18-21, 15-12. Record 4-0-1. He ran 100 m in 9.58 s, 42.195 km in 2:00:35.",
    "Pi is 3.14159265358979323846264338327950288, e is 2.71828182845904523536, c is 299792458 m/s, h 6.62607015e-34.",
    "ISBN 978-3-16-148410-0 and 0-306-40615-2; ISSN 0378-5955; DOI 10.1000/182; arXiv:2103.00020v1; RFC 5321, 4.5.3.1.1.",
    "The barcode reads 9780201379624; the part is 7350053850019, revision 12-3456-78, lot 20240131-0042.",
    // Code.
    "let x = 0x1f2e3d4c5b6a7988u64; assert_eq!(x.rotate_left(13), 0xdead_beef); for i in 0..1_000_000 { sum += i * 17; }",
    "git checkout 9fceb02d0ae598e95dc970b74767f19372d61af8 && git clone git@github.com:example/project.git # v2.34.1",
    "std::vec::Vec<std::collections::HashMap<u64, String>>::with_capacity(4096); a::b::c(); Foo::Bar; xs[1::2]; t[::-1]",
    "import numpy as np\nA = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float64)\nprint(A.sum(axis=0)[::2], 1e-9, 2**31 - 1)",
    "npm install react@18.2.0 @types/node@20.11.5 lodash@4.17.21 && npx tsc --target es2022 # logo@2x.png, icon@3x.webp",
    ".btn-primary:hover{color:#1a2b3c;margin:0 12px 4px 8px;width:calc(100% - 240px)} .sk-fading-circle-wrapper-large{}",
    "#define MAX 4294967295\nstatic const uint8_t key[16] = {0x2b, 0x7e, 0x15, 0x16}; /* 16 bytes */ goto err_2;",
    "SELECT id, total FROM orders WHERE id IN (1001, 1002, 100345) AND created_at > '2024-01-31 23:59:59.000' LIMIT 50;",
    "if (user.password === null || !secret_key_base) { throw new Error('E1042: missing credential'); }",
    "xs.iter().map(|&(a, b)| a * b).sum::<i64>(); // 12:34:56, 00:00:00.000, 23:59",
    "def test_pk_live_mode(self): self.assertEqual(resp.status_code, 200)  # sk_test or rk_live, see docs",
    // Logs, settings, ids.
    "2024-05-17T08:45:12.345Z INFO [main] c.e.Service - request 7f3a9c1e took 1532 ms (thread-17, pid 20417)",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 ts=1715935512345678 level=info attempt=3/5",
    "id: 123e4567-e89b-12d3-a456-426614174000, etag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\", size: 1048576",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 md5 d41d8cd98f00b204e9800998ecf8427e",
    "image: registry.example.com/team/app:1.25.3-alpine@sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
    "apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: 3\n  ports: [{containerPort: 8080}]\n  resources: {cpu: 250m, memory: 512Mi}",
    "listen 127.0.0.1:8080; bind 0.0.0.0; netmask 255.255.255.0; host ::1; port 5432; MTU 1500; ff:ff:ff:ff:ff:ff",
    "DATABASE_URL=postgres://user:password@localhost:5432/app\nAPI_KEY=<your-api-key>\nTOKEN=${TOKEN}\nSECRET=changeme",
    "curl -H 'Authorization: Bearer <token>' -H \"Authorization: Basic <credentials>\" https://api.example.com/v1/users/42",
    "cursor=eyJpZCI6MTIzfQ== next=eyJvZmZzZXQiOjEwMH0= page_token=CAUQAA etag=W/\"0-2jmj7l5rSw0yVb/vlWAYkK/YBwk\"",
    "chatcmpl-9nYJ2zYt8pX, resp_68a1c2, msg_01XFDUDYJgAACzvnptvVoYEL, toolu_01T1x1fJ34qAmk2tNTrN7Up6, run_abc123",
    "Mon 17 1715935512 1715935512345 1715935512345678901 1e10 0755 0b1010 100_000 +5 -17 3.0.0-rc.1+build.5114f85",
    "uid=1000(user) gid=1000 -rw-r--r-- 1 root 20480 Jan 31 2024 | 0000:00:1f.2 SATA | 8086:9d03 | /dev/nvme0n1p2",
    "| 1 | 1024 | 99.95 % | 12.3 ms |\n| 2 | 2048 | 99.90 % | 25.7 ms |\n| 30522 | 768 | 12 | 110M |",
    "Model XR-7700-B, firmware 4.18.2, serial ports COM3, 16GB DDR4-3200, 2560x1440@144Hz, USB 3.2 Gen 2x2, IP67.",
    "Part numbers: 536-904-399, 12-3456-789, A1B2-C3D4, 0815/4711, 1-800-FLOWERS; HTTP/1.1 206, ISO 8601-1:2019.",
    "Chess: 1. e4 e5 2. Nf3 Nc6 3. Bb5 a6; FEN r1bqkbnr/pppp1ppp/2n5/4p3/4P3/5N2/PPPP1PPP/RNBQKB1R w KQkq - 2 3",
    "Gene BRCA1 c.68_69delAG, rs429358, NM_007294.4:c.5266dupC, chr17:43044295-43125483, CAS 7732-18-5, pH 7.35-7.45",
    "SHA1 Fingerprint=AB:1D:22:0C:4F:9E:77:10:C3:5A:06:B1:D4:E5:99:01:2F:3A:4B:5C; WWN 10:30:45:20:11:22:33:44",
    "systemctl status user@1000.service getty@tty1.service sshd@1.socket backup@0.timer; x@prod.conf, font@1.woff2",
    "git clone https://user:pass@example.com/a.git; ftp://user:password@example.org",
    "5f9d0644-7691-4657-8787-a0e8490201be 0c1e2f3a-1b2c-4d5e-be86-839bde82f0e5 2341-2341-2346",
    "| 2341 2341 2346 | 3.83936613E-02 | 05.12345678Z | 0,54362315K | PT0.0010032S |",
    "Coordinates 52.520008, 13.404954; zone 33U; elevation 34 m; postal code 10115 Berlin; route A100, exit 12.",
];

#[test]
fn the_usual_sets_find_nothing_where_nothing_is() {
    let sets = ["PII", "SECRETS", "FINANCIAL", "HEALTH"].map(named);
    let plan = plan(sets.into_iter().fold(Entities::NONE, Entities::union));
    let found = TEXTS.iter().flat_map(|text| {
        let spans = whole(&plan, text.as_bytes());
        spans.into_iter().map(|(range, entity)| (name(entity), &text[range]))
    });
    assert_eq!(found.collect::<Vec<_>>(), []);
}

/// Numbers without an end: the same ones in every run.
fn numbers() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(88_172_645_463_325_252_u64), |&x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        Some(x ^ (x << 17))
    })
}

#[test]
fn random_numbers_are_hardly_ever_taken_for_anything() {
    let plan = plan(named("PII").union(named("SECRETS")));
    let texts: Vec<String> = numbers()
        .zip((6..20).cycle())
        .take(4000)
        .map(|(number, digits)| format!("item {} is", &format!("{number:020}")[..digits]))
        .collect();
    let found: Vec<&String> = texts.iter().filter(|text| !whole(&plan, text.as_bytes()).is_empty()).collect();
    // One number in ten passes Luhn, and about a third of the first digits belong to a card's network.
    assert!(found.len() * 50 <= texts.len(), "{} of {}: {found:?}", found.len(), texts.len());
}

#[test]
fn random_letters_and_digits_are_hardly_ever_taken_for_anything() {
    let plan = plan(known().usual());
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let texts: Vec<String> = numbers()
        .zip((8..20).cycle())
        .take(4000)
        .map(|(mut number, length)| {
            let character = |_| {
                let at = (number % 36) as usize;
                number = number.rotate_left(29) ^ (number / 36);
                char::from(alphabet[at])
            };
            (0..length).map(character).collect()
        })
        .collect();
    let found: Vec<&String> = texts.iter().filter(|text| !whole(&plan, text.as_bytes()).is_empty()).collect();
    assert!(found.len() * 400 <= texts.len(), "{} of {}: {found:?}", found.len(), texts.len());
}
