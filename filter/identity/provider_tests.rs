use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::testing::{ISSUER, all_keys, jwk, openssl};
use super::*;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

type Answer<'a> = Result<(u16, &'a [u8]), Failure>;

fn at(seconds: u64) -> u64 {
    START + seconds * SECOND
}

fn discovered() -> Provider {
    let source = Source::Discovery { issuer: ISSUER.to_owned(), path: None };
    Provider::new(source, Timing::default(), START, 7).unwrap()
}

fn by_uri() -> Provider {
    let source = Source::Uri { uri: "https://keys.example.com/k?x=1".to_owned() };
    Provider::new(source, Timing::default(), START, 7).unwrap()
}

fn document() -> Vec<u8> {
    json!({"issuer": ISSUER, "jwks_uri": "https://keys.example.com/k?x=1"}).to_string().into_bytes()
}

fn set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

fn good() -> Vec<u8> {
    set(openssl()["keys"].as_array().unwrap())
}

fn ready(provider: &Provider, now: u64) -> bool {
    matches!(provider.state(now), State::Ready(_))
}

fn pending(provider: &Provider, now: u64) -> bool {
    matches!(provider.state(now), State::Pending)
}

fn reason(provider: &Provider, now: u64) -> FetchError {
    match provider.state(now) {
        State::Unavailable { reason } => reason,
        other => panic!("{other:?}"),
    }
}

/// Makes the next call, which must be due, and gives it its answer.
fn answer(provider: &mut Provider, now: u64, answer: Answer<'_>) -> Outcome {
    provider.wanted(now).expect("a call is due");
    provider.received(now, answer)
}

/// The time at which the next call is due, not before `from`.
fn due(provider: &mut Provider, from: u64) -> u64 {
    assert_eq!(provider.under_way, None);
    let due = provider.next_at.max(from);
    if due > from {
        assert_eq!(provider.clone().wanted(due - 1), None);
    }
    assert!(provider.clone().wanted(due).is_some());
    due
}

/// Plays a whole round of discovery.
fn make_ready(provider: &mut Provider, now: u64) {
    assert_eq!(answer(provider, now, Ok((200, &document()))), Outcome::Next);
    assert!(matches!(answer(provider, now, Ok((200, &good()))), Outcome::Keys { .. }));
}

#[test]
fn discovery_leads_to_the_keys_one_call_at_a_time() {
    let mut provider = discovered();
    assert!(pending(&provider, START));
    let first = provider.wanted(START).unwrap();
    assert_eq!((first.scheme, first.authority.as_str()), ("https", "idp.example.com"));
    assert_eq!(first.path, "/.well-known/openid-configuration");
    assert_eq!(provider.wanted(START), None);
    assert_eq!(provider.received(START, Ok((200, &document()))), Outcome::Next);
    assert!(pending(&provider, START));
    let second = provider.wanted(START).unwrap();
    assert_eq!((second.authority.as_str(), second.path.as_str()), ("keys.example.com", "/k?x=1"));
    assert_eq!(provider.wanted(START), None);
    assert_eq!(provider.received(START, Ok((200, &good()))), Outcome::Keys { changed: true });
    assert!(ready(&provider, START));
    assert_eq!(provider.wanted(START), None);
}

#[test]
fn a_uri_is_asked_directly_and_a_document_elsewhere_where_configured() {
    let mut provider = by_uri();
    assert_eq!(provider.wanted(START).unwrap().path, "/k?x=1");
    assert_eq!(provider.received(START, Ok((200, &good()))), Outcome::Keys { changed: true });
    assert!(ready(&provider, START));

    let source = Source::Discovery { issuer: ISSUER.to_owned(), path: Some("/oidc".to_owned()) };
    let mut provider = Provider::new(source, Timing::default(), START, 7).unwrap();
    assert_eq!(provider.wanted(START).unwrap().path, "/oidc");
}

#[test]
fn inline_keys_are_ready_for_ever_and_ask_nothing() {
    let mut provider = Provider::new(Source::Inline(all_keys()), Timing::default(), START, 7).unwrap();
    let late = at(10 * 365 * 86400);
    assert!(ready(&provider, START) && ready(&provider, late));
    assert_eq!(provider.wanted(late), None);
    assert_eq!(provider.refetch(late, late), Refetch::Known);
    assert_eq!(provider.age(late), None);
    assert_eq!(provider.received(late, Ok((200, b"{}"))), Outcome::Ignored);
    assert!(ready(&provider, late));
}

#[test]
fn a_source_that_can_never_work_is_refused_at_once() {
    for uri in ["", "/k", "ftp://h/k", "https://u@h/k"] {
        let source = Source::Uri { uri: uri.to_owned() };
        assert!(Provider::new(source, Timing::default(), START, 7).is_err(), "{uri}");
    }
    let source = Source::Discovery { issuer: "corp".to_owned(), path: None };
    assert!(Provider::new(source, Timing::default(), START, 7).is_err());
}

#[test]
fn down_at_start_callers_are_held_then_refused_then_served() {
    let mut provider = discovered();
    let mut now = START;
    while now < at(5) {
        assert!(pending(&provider, now));
        answer(&mut provider, now, Ok((503, b"")));
        now = due(&mut provider, now);
    }
    assert_eq!(reason(&provider, now), FetchError::Status(503));
    make_ready(&mut provider, now);
    assert!(ready(&provider, now));
}

#[test]
fn a_provider_that_never_answers_holds_callers_no_longer_than_the_bound() {
    let mut provider = discovered();
    provider.wanted(START).unwrap();
    assert!(pending(&provider, at(4)));
    assert_eq!(reason(&provider, at(5)), FetchError::NotYet);
    assert_eq!(provider.wanted(at(60) - 1), None);
    // The call is given up, and the next one has its pause.
    assert_eq!(provider.wanted(at(60)), None);
    assert_eq!(reason(&provider, at(60)), FetchError::NoAnswer(Failure::Lost));
    assert!(provider.wanted(at(61)).is_some());
}

#[test]
fn retries_back_off_from_half_a_second_to_half_a_minute() {
    let mut provider = discovered();
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..80 {
        let outcome = answer(&mut provider, now, Err(Failure::Unreachable));
        let Outcome::Failed { retry_in, error } = outcome else { panic!("{outcome:?}") };
        assert_eq!(error, FetchError::NoAnswer(Failure::Unreachable));
        let pause = u64::try_from(retry_in.as_nanos()).unwrap();
        assert_eq!(provider.wanted(now + pause - 1), None);
        now += pause;
        pauses.push(retry_in);
    }
    for (n, pause) in pauses.iter().enumerate() {
        let whole = Duration::from_millis(500 << n.min(6)).min(Duration::from_secs(30));
        assert!(*pause >= whole / 2 && *pause <= whole, "{n}: {pause:?}");
    }
    // Not in step with another worker.
    let mut other = Provider { random: 12345, ..discovered() };
    let outcome = answer(&mut other, START, Err(Failure::Unreachable));
    assert_ne!(
        outcome,
        Outcome::Failed { error: FetchError::NoAnswer(Failure::Unreachable), retry_in: pauses[0] }
    );
}

#[test]
fn keys_are_refreshed_in_time_and_not_before() {
    let mut provider = discovered();
    make_ready(&mut provider, START);
    let due = due(&mut provider, START);
    assert!((at(540)..=at(600)).contains(&due), "{}", (due - START) / SECOND);
    assert_eq!(provider.wanted(due).unwrap().path, "/.well-known/openid-configuration");
    assert_eq!(provider.age(due), Some(Duration::from_nanos(due - START)));
    provider.received(due, Ok((200, &document())));
    assert_eq!(answer(&mut provider, due, Ok((200, &good()))), Outcome::Keys { changed: false });
    assert_eq!(provider.age(due), Some(Duration::ZERO));
    assert_eq!(provider.generation(), 1);
}

#[test]
fn rotation_replaces_the_keys_and_changes_the_generation() {
    let mut provider = by_uri();
    answer(&mut provider, START, Ok((200, &set(&[jwk("rsa")]))));
    assert_eq!(provider.generation(), 1);
    let now = at(600);
    assert_eq!(answer(&mut provider, now, Ok((200, &set(&[jwk("p256")])))), Outcome::Keys { changed: true });
    assert_eq!(provider.generation(), 2);
    let State::Ready(keys) = provider.state(now) else { panic!() };
    assert!(keys.find(super::super::Algorithm::Es256, Some("p256")).is_ok());
    assert!(keys.find(super::super::Algorithm::Rs256, Some("rsa")).is_err());
}

#[test]
fn keys_are_kept_while_the_provider_is_down_for_a_day() {
    let mut provider = discovered();
    make_ready(&mut provider, START);
    let mut now = START;
    loop {
        now = due(&mut provider, now);
        if now >= at(24 * 3600) {
            break;
        }
        assert!(ready(&provider, now));
        assert!(matches!(answer(&mut provider, now, Err(Failure::Broken)), Outcome::Failed { .. }));
        // Half an hour at once: the law is the same.
        now += 1800 * SECOND;
    }
    assert!(ready(&provider, at(24 * 3600) - 1));
    assert_eq!(reason(&provider, at(24 * 3600)), FetchError::Stale);
    assert_eq!(provider.generation(), 1);
    make_ready(&mut provider, now);
    assert!(ready(&provider, now));
}

#[test]
fn faulty_answers_are_failures_and_the_keys_at_hand_stay() {
    let large = vec![b' '; 256 * 1024 + 1];
    let many = set(&vec![jwk("rsa"); 65]);
    let faulty: [Answer<'_>; 9] = [
        Ok((200, b"<html>")),
        Ok((200, b"")),
        Ok((200, b"{\"keys\":[]}")),
        Ok((200, &large)),
        Ok((200, &many)),
        Ok((302, b"")),
        Ok((404, b"{}")),
        Ok((504, b"upstream request timeout")),
        Err(Failure::Broken),
    ];
    for faulty in faulty {
        let mut provider = by_uri();
        assert!(matches!(answer(&mut provider, START, faulty), Outcome::Failed { .. }), "{faulty:?}");
        assert!(pending(&provider, START));
        let now = due(&mut provider, START);
        answer(&mut provider, now, Ok((200, &good())));
        let now = due(&mut provider, now);
        assert!(matches!(answer(&mut provider, now, faulty), Outcome::Failed { .. }), "{faulty:?}");
        assert!(ready(&provider, now));
        assert_eq!(provider.generation(), 1);
    }
}

#[test]
fn hostile_discovery_documents_lead_nowhere() {
    let large = [document(), vec![b' '; 256 * 1024]].concat();
    let documents: [&[u8]; 7] = [
        br#"{"issuer":"https://evil.example.com","jwks_uri":"https://evil.example.com/k"}"#,
        br#"{"issuer":"https://idp.example.com/","jwks_uri":"https://h/k"}"#,
        br#"{"issuer":"https://evil","issuer":"https://idp.example.com","jwks_uri":"https://h/k"}"#,
        br#"{"issuer":"https://idp.example.com","jwks_uri":"https://h/k\r\nx: y"}"#,
        br#"{"issuer":"https://idp.example.com","jwks_uri":"file:///etc/passwd"}"#,
        br#"{"issuer":"https://idp.example.com"}"#,
        &large,
    ];
    for document in documents {
        let mut provider = discovered();
        let outcome = answer(&mut provider, START, Ok((200, document)));
        assert!(matches!(outcome, Outcome::Failed { error: FetchError::Document(_), .. }), "{outcome:?}");
        let now = due(&mut provider, START);
        assert!(now > START);
        assert_eq!(provider.wanted(now).unwrap().authority, "idp.example.com");
    }
}

#[test]
fn an_unknown_key_waits_for_a_set_that_was_asked_for_after_it_came() {
    let mut provider = discovered();
    make_ready(&mut provider, START);
    // The set at hand was asked for before: it says nothing of a key that came later.
    assert_eq!(provider.refetch(at(1), at(1)), Refetch::UnderWay);
    assert_eq!(provider.wanted(at(1)), None, "once in two seconds");
    assert_eq!(provider.wanted(at(2)).unwrap().path, "/k?x=1");
    // While it is under way others may wait for it too.
    assert_eq!(provider.refetch(at(2), at(2)), Refetch::UnderWay);
    assert_eq!(provider.wanted(at(2)), None);
    assert_eq!(provider.received(at(3), Ok((200, &good()))), Outcome::Keys { changed: false });
    assert_eq!(provider.refetch(at(3), at(1)), Refetch::Known);
    assert_eq!(provider.refetch(at(3), at(2)), Refetch::Known);
    assert_eq!(provider.wanted(at(100)), None, "nobody asks for more");
    // What came while it was under way may name a key that was not yet in it.
    assert_eq!(provider.refetch(at(3), at(3)), Refetch::UnderWay);
    assert_eq!(provider.wanted(at(3)), None);
    assert!(provider.wanted(at(4)).is_some());
}

#[test]
fn an_unknown_key_does_not_shorten_a_back_off() {
    let mut provider = discovered();
    make_ready(&mut provider, START);
    assert_eq!(provider.refetch(at(2), at(2)), Refetch::UnderWay);
    answer(&mut provider, at(2), Err(Failure::Unreachable));
    let now = due(&mut provider, at(2));
    answer(&mut provider, now, Err(Failure::Unreachable));
    let reason = FetchError::NoAnswer(Failure::Unreachable);
    assert_eq!(provider.refetch(at(100), at(100)), Refetch::Failing { reason });
    // The uri that failed is not trusted any longer.
    assert_eq!(provider.wanted(at(100)).unwrap().path, "/.well-known/openid-configuration");
}

#[test]
fn a_provider_that_is_away_for_a_moment_is_waited_for() {
    let mut provider = discovered();
    make_ready(&mut provider, START);
    assert_eq!(provider.refetch(at(2), at(2)), Refetch::UnderWay);
    answer(&mut provider, at(2), Err(Failure::Unreachable));
    // A round that failed says nothing of the keys: the token may be good.
    assert_eq!(provider.refetch(at(3), at(2)), Refetch::UnderWay);
    let mut now = due(&mut provider, at(2));
    answer(&mut provider, now, Ok((200, &document())));
    now = due(&mut provider, now);
    assert!(now < at(4), "the next round does not wait long");
    assert_eq!(answer(&mut provider, now, Ok((200, &good()))), Outcome::Keys { changed: false });
    assert_eq!(provider.refetch(now, at(2)), Refetch::Known);
}

#[test]
fn an_answer_nobody_waits_for_changes_nothing() {
    let mut provider = discovered();
    assert_eq!(provider.received(START, Ok((200, &good()))), Outcome::Ignored);
    assert!(pending(&provider, START));
    make_ready(&mut provider, START);
    assert_eq!(provider.received(START, Ok((200, &set(&[jwk("rsa")])))), Outcome::Ignored);
    assert_eq!(provider.generation(), 1);
}

#[derive(Debug, Clone)]
enum Event {
    Wait(u64),
    Want,
    Refetch,
    Answer(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any::<u64>().prop_map(|n| Event::Wait(n >> (n % 64))),
        Just(Event::Want),
        Just(Event::Want),
        Just(Event::Refetch),
        any::<u8>().prop_map(Event::Answer),
    ]
}

proptest! {
    /// Whatever comes in whatever order: no panic, one call at a time, and a call that comes back in the end.
    #[test]
    fn any_course_of_events_leaves_a_provider_that_recovers(
        events in proptest::collection::vec(event(), 0..40),
        seed in any::<u64>(),
    ) {
        let source = Source::Discovery { issuer: ISSUER.to_owned(), path: None };
        let mut provider = Provider::new(source, Timing::default(), START, seed).unwrap();
        let mut now = START;
        for event in events {
            match event {
                Event::Wait(time) => now = now.saturating_add(time % (100_000 * SECOND)),
                Event::Want => {
                    if provider.wanted(now).is_some() {
                        prop_assert_eq!(provider.wanted(now), None);
                    }
                }
                Event::Refetch => {
                    let _ = provider.refetch(now, now);
                }
                Event::Answer(kind) => {
                    let (document, good) = (document(), good());
                    let answers: [Answer<'_>; 5] =
                        [Ok((200, &document)), Ok((200, &good)), Ok((500, b"")), Ok((200, b"{}")), Err(Failure::Broken)];
                    let _ = provider.received(now, answers[usize::from(kind) % answers.len()]);
                }
            }
            let _ = (provider.state(now), provider.age(now));
        }
        now = now.saturating_add(1200 * SECOND);
        for body in [document(), good(), document(), good()] {
            if provider.wanted(now).is_some() {
                let _ = provider.received(now, Ok((200, &body)));
            }
            now = now.saturating_add(60 * SECOND);
        }
        prop_assert!(ready(&provider, now));
    }
}

fn round(asked: u64, keys: &[u8]) -> Round {
    Round { asked, fetched: asked, keys: keys.to_vec(), ..Round::NONE }
}

#[test]
fn keys_of_another_worker_are_taken_if_they_are_newer() {
    let mut provider = discovered();
    assert!(provider.is_due(START));
    assert_eq!(provider.adopt(START, &Round::NONE), None);
    assert_eq!(provider.adopt(START, &round(START, b"{}")), None, "what is no key set is nobody's");
    assert_eq!(provider.adopt(at(2), &round(at(1), &good())), Some(Outcome::Keys { changed: true }));
    assert!(ready(&provider, at(2)) && !provider.is_due(at(500)));
    assert!(provider.is_due(at(601)), "by the time when they came, not when they were taken");
    assert_eq!(provider.adopt(at(3), &round(at(1), &set(&[jwk("p256")]))), None, "no newer");
    assert_eq!(provider.adopt(at(600), &round(at(599), &good())), Some(Outcome::Keys { changed: false }));
}

#[test]
fn keys_of_another_worker_do_not_look_younger_than_they_are() {
    let mut provider = discovered();
    provider.adopt(at(100), &round(at(1), &good()));
    assert_eq!(provider.age(at(100)), Some(Duration::from_secs(99)));
}
