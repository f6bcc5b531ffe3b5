//! Secrets go where they are for and nowhere else. Each one that there is goes through every flow, over a real server and a
//! real desktop that log everything; then whatever the two have left behind, said or sent is searched for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod hostile;
mod office;
mod planted;
mod search;

use std::collections::{BTreeMap, BTreeSet};

use office::Office;
use search::{Place, Search};

#[test]
fn no_secret_is_in_a_database_a_log_an_export_or_an_answer() {
    let mut office = Office::open().unwrap();
    office.people().unwrap();
    office.ways_out().unwrap();
    office.calls().unwrap();
    office.misplace().unwrap();
    let canaries = office.canaries().unwrap();
    let names: Vec<_> = canaries.keys().collect();
    assert!(canaries.len() >= 12, "{names:?}");
    assert!(
        office.target.got("Authorization") && office.mail.got("AUTH PLAIN"),
        "the secrets have been where they are for"
    );
    let mut places = office.asked().unwrap();
    places.extend(office.processes().unwrap());
    // While both still run, so that what is only in a write-ahead log is there; and once more when they have ended.
    places.extend(office.left_behind().unwrap());
    office.end().unwrap();
    places.extend(office.left_behind().unwrap());
    places.extend(office.rows().unwrap());

    for kind in [
        "control.db",
        "tenant.db-wal",
        "server.log",
        "device.db outbox.envelope",
        "snapshot.db body.bytes",
        "hand.log",
        "/cmdline",
        "/environ",
        "/api/journal/export",
    ] {
        let mut of_it = places.iter().filter(|place| place.name.ends_with(kind));
        assert!(
            of_it.any(|place| place.bytes.len() > 1),
            "nothing was searched of {kind}"
        );
    }
    let search = Search::new(&canaries);
    let bytes: usize = places.iter().map(|place| place.bytes.len()).sum();
    let found: Vec<_> = places.iter().flat_map(|place| search.hits(place)).collect();
    let (kept, leaked): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|hit| hit.canary == "log key" && office.keeps_the_log_key(&hit.place));
    assert!(leaked.is_empty(), "{leaked:#?}");
    // The search sees the one that is where it belongs, in the file's bytes and in its rows.
    let kept: BTreeSet<_> = kept.iter().map(|hit| &hit.place).collect();
    assert!(kept.len() >= 2, "{kept:?}");
    eprintln!("{} canaries: {names:?}", canaries.len());
    eprintln!("{} places, {bytes} bytes, no hit", places.len());

    for (number, (name, secret)) in canaries.iter().enumerate() {
        let folder = office.scratch().join(number.to_string());
        let planted = planted::everywhere(secret, &folder).unwrap();
        assert!(planted.len() >= 12, "{} kinds of places", planted.len());
        for place in &planted {
            let hits: Vec<_> = search.hits(place).into_iter().map(|hit| hit.canary).collect();
            assert_eq!(hits, std::slice::from_ref(name), "in {}", place.name);
        }
    }
}

#[test]
fn a_secret_is_found_however_it_is_spelled_and_whatever_stands_around_it() {
    let secret = "p\u{e4}ss \"word\"\\/+1!";
    let other = b"another secret".to_vec();
    let canaries = BTreeMap::from([
        ("planted".to_owned(), secret.as_bytes().to_vec()),
        ("other".to_owned(), other),
    ]);
    let search = Search::new(&canaries);
    let mut seen = BTreeSet::new();
    for around in ["", "a", "ab"] {
        let surrounded = format!("{around}{secret}{around}");
        for form in search::spellings(surrounded.as_bytes()) {
            let place = Place::new("a file", [b"before ", &form[..], b" after"].concat());
            let packed = Place::new("a packed file", zstd::encode_all(&place.bytes[..], 3).unwrap());
            for place in [place, packed] {
                let hits: Vec<_> = search.hits(&place).into_iter().map(|hit| hit.canary).collect();
                assert_eq!(hits, ["planted"], "{}", String::from_utf8_lossy(&form));
            }
            seen.insert(form);
        }
    }
    assert!(seen.len() > 300, "{} spellings", seen.len());
}
