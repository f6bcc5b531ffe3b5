//! A device's keys: replaced by the word of both, and taken out of service with what is still trusted.

use countersign_domain::{
    Record,
    acts::rotate,
    dsse::SigningKey,
    people::Device,
    record::{Actor, Endorse, Endorsement, Enrol, Reason, Revoke, Rotate},
};

use crate::{
    people::Book,
    support::{at, device, key, nonce, person, tenant, uuid},
};

/// A tenant in which person 1 has device 1 with key 1, in service.
fn book() -> Book {
    let mut book = Book::solo();
    let enrol = Enrol {
        challenge: nonce(2),
        device: device(1),
        name: "laptop".to_owned(),
        nonce: nonce(3),
        public_key: key(1).public_key(),
        tenant: tenant(),
        user: person(1),
    };
    let enrol = book.enter(at(5), &enrol);
    let endorse = Endorse {
        at: at(6),
        by: Endorsement::FirstDevice,
        device: device(1),
        device_seq: None,
        enrol: enrol.digest,
        nonce: nonce(4),
        previous: None,
        tenant: tenant(),
    };
    book.enter(at(6), &endorse);
    book
}

/// After its record `seq` device 1 goes on with `new`.
fn turn(seq: u64, new: &SigningKey) -> Rotate {
    Rotate {
        at: at(10),
        device: device(1),
        device_seq: seq,
        key: new.public_key(),
        nonce: nonce(5),
        previous: None,
        proof: Rotate::proof(new, tenant(), device(1), seq, nonce(5)).unwrap(),
        tenant: tenant(),
    }
}

impl Book {
    fn laptop(&self) -> &Device {
        &self.0.devices[&device(1)]
    }

    fn turns(&mut self, millis: i64, rotate: &Rotate, signer: &SigningKey) {
        let record = Record::signed(rotate, signer).unwrap();
        self.0.apply(at(millis), &record).unwrap();
    }

    fn revoked(&mut self, millis: i64, last_good: Option<u64>, since: Option<i64>) {
        let revoke = Revoke {
            at: at(millis),
            by: Actor::Server,
            compromised_since: since.map(at),
            device: device(1),
            last_good_seq: last_good,
            nonce: nonce(6),
            reason: "Lost.".to_owned(),
        };
        self.enter(at(millis), &revoke);
    }
}

#[test]
fn a_device_goes_on_with_a_new_key_and_what_it_signed_before_keeps_the_old_one() {
    let mut book = book();
    book.turns(20, &turn(7, &key(2)), &key(1));
    book.turns(30, &turn(9, &key(3)), &key(2));
    let laptop = book.laptop();
    let of = |seq| laptop.key_of(seq);
    assert_eq!(
        [1, 7, 8, 9, 10, u64::MAX].map(of),
        [1, 1, 2, 2, 3, 3].map(|number| key(number).public_key()),
        "a turn is signed by the key that it replaces"
    );
    assert_eq!(laptop.key, key(3).public_key());
    assert_eq!(laptop.key_since, at(30));
    assert_eq!(laptop.enrolled_at, at(5));
    assert!(
        [1, 2, 3]
            .iter()
            .all(|number| laptop.has_had(key(*number).public_key()))
    );
    assert!(!laptop.has_had(key(4).public_key()));
}

#[test]
fn a_record_leads_to_the_key_that_signed_it() {
    let mut book = book();
    let first = Record::signed(&turn(7, &key(2)), &key(1)).unwrap();
    book.0.apply(at(20), &first).unwrap();
    assert_eq!(book.0.key_behind(&first), Some(key(1).public_key()));
    let second = Record::signed(&turn(8, &key(3)), &key(2)).unwrap();
    assert_eq!(book.0.key_behind(&second), Some(key(2).public_key()));
    let unsigned = Record::unsigned(&turn(8, &key(3))).unwrap();
    assert_eq!(book.0.key_behind(&unsigned), None, "nobody has signed it");
    let stranger = Rotate {
        device: device(2),
        ..turn(8, &key(3))
    };
    let stranger = Record::signed(&stranger, &key(2)).unwrap();
    assert_eq!(book.0.key_behind(&stranger), None, "a device that is not here");
}

#[test]
fn nobody_swaps_a_devices_key_without_its_present_one() {
    let mut book = book();
    let before = book.0.clone();
    for thief in [2, 3, 9] {
        book.turns(20, &turn(7, &key(2)), &key(thief));
        assert_eq!(book.0, before, "signed by key {thief}");
    }
    book.enter(at(20), &turn(7, &key(2)));
    assert_eq!(book.0, before, "not signed at all: the log alone says so");

    book.turns(20, &turn(7, &key(2)), &key(1));
    let after = book.0.clone();
    book.turns(30, &turn(8, &key(3)), &key(1));
    assert_eq!(book.0, after, "the old key has no say any more");
}

#[test]
fn nobody_hands_a_device_a_key_that_has_not_agreed_to_it() {
    let book = book();
    let good = turn(7, &key(2));
    assert_eq!(rotate(&book.0, &good), Ok(()));
    let mut broken = good.proof.clone();
    broken.sig[0] ^= 1;
    let of_another = Rotate::proof(&key(3), tenant(), device(1), 7, nonce(5)).unwrap();
    let lies = [
        (
            "a broken signature",
            Rotate {
                proof: broken,
                ..good.clone()
            },
        ),
        (
            "another key's signature",
            Rotate {
                proof: of_another.clone(),
                ..good.clone()
            },
        ),
        (
            "another key",
            Rotate {
                key: key(3).public_key(),
                ..good.clone()
            },
        ),
        (
            "another number",
            Rotate {
                device_seq: 8,
                ..good.clone()
            },
        ),
        (
            "another nonce",
            Rotate {
                nonce: nonce(6),
                ..good.clone()
            },
        ),
        (
            "another key id",
            Rotate {
                proof: countersign_domain::dsse::Signature {
                    sig: good.proof.sig,
                    ..of_another
                },
                ..good.clone()
            },
        ),
    ];
    for (what, lie) in lies {
        assert_eq!(rotate(&book.0, &lie), Err(Reason::BadSignature), "{what}");
    }
}

#[test]
fn a_turn_is_of_a_device_in_service_here_to_a_key_that_nobody_has_had() {
    let mut book = book();
    let other = Rotate {
        device: device(2),
        ..turn(7, &key(2))
    };
    assert_eq!(
        rotate(&book.0, &other),
        Err(Reason::NotEligible),
        "an unknown device"
    );
    let elsewhere = Rotate {
        tenant: countersign_domain::id::TenantId::from_uuid(uuid(2)),
        ..turn(7, &key(2))
    };
    assert_eq!(
        rotate(&book.0, &elsewhere),
        Err(Reason::NotEligible),
        "another tenant"
    );
    assert_eq!(
        rotate(&book.0, &turn(7, &key(1))),
        Err(Reason::NotEligible),
        "its present key"
    );

    book.turns(20, &turn(7, &key(2)), &key(1));
    assert_eq!(
        rotate(&book.0, &turn(8, &key(1))),
        Err(Reason::NotEligible),
        "its earlier key"
    );
    assert_eq!(
        rotate(&book.0, &turn(7, &key(3))),
        Err(Reason::Fork),
        "a number that is used"
    );
    assert_eq!(rotate(&book.0, &turn(8, &key(3))), Ok(()));

    book.revoked(30, None, None);
    assert_eq!(rotate(&book.0, &turn(8, &key(3))), Err(Reason::DeviceRevoked));
}

#[test]
fn a_revoked_device_is_trusted_up_to_its_last_good_number_and_no_further() {
    let mut book = book();
    let of = |book: &Book, seq| {
        let record = Record::signed(&turn(seq, &key(2)), &key(1)).unwrap();
        book.0.key_behind(&record).is_some()
    };
    assert!(of(&book, 9));
    book.revoked(20, Some(8), None);
    assert_eq!([7, 8, 9].map(|seq| of(&book, seq)), [true, true, false]);
    book.revoked(30, None, None);
    assert_eq!([1, 7, 8].map(|seq| of(&book, seq)), [false; 3]);
}

#[test]
fn a_second_revocation_only_takes_trust_away() {
    let mut book = book();
    book.revoked(20, Some(8), None);
    let standing = |book: &Book| {
        let laptop = book.laptop();
        (laptop.revoked_at, laptop.last_good_seq, laptop.compromised_since)
    };
    assert_eq!(standing(&book), (Some(at(20)), 8, None));
    book.revoked(30, Some(5), Some(15));
    assert_eq!(
        standing(&book),
        (Some(at(20)), 5, Some(at(15))),
        "it was stolen, as one learns"
    );
    book.revoked(40, Some(9), Some(18));
    assert_eq!(
        standing(&book),
        (Some(at(20)), 5, Some(at(15))),
        "nothing is trusted again"
    );
    book.revoked(50, None, None);
    assert_eq!(standing(&book), (Some(at(20)), 0, Some(at(15))));
}
