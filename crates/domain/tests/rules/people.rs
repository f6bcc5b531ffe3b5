//! Who belongs to a tenant, entry by entry.

use countersign_domain::{
    Record, UnixMillis,
    dsse::SigningKey,
    fold::FoldError,
    people::{Device, KINDS, People, enrolment_code},
    record::{
        Actor, Agent, Body, Connection, Endorse, Endorsement, Enrol, Genesis, Invite, Kind, Member, Mode,
        Reason, Refuse, Revoke, Role,
    },
};

use crate::{
    samples,
    support::{at, device, digest, key, nonce, person, tenant},
};

#[derive(Default)]
pub(crate) struct Book(pub(crate) People);

impl Book {
    pub(crate) fn solo() -> Self {
        let mut book = Self::default();
        book.genesis(Mode::Solo);
        book.member(0, 1, Some(Role::Owner));
        book
    }

    pub(crate) fn enter(&mut self, at: UnixMillis, body: &impl Body) -> Record {
        let record = Record::unsigned(body).unwrap();
        self.0.apply(at, &record).unwrap();
        record
    }

    pub(crate) fn genesis(&mut self, mode: Mode) {
        let genesis = Genesis {
            created_at: at(0),
            log_key: key(9).public_key(),
            mode,
            name: "Acme".to_owned(),
            nonce: nonce(1),
            tenant: tenant(),
        };
        self.enter(at(0), &genesis);
    }

    pub(crate) fn member(&mut self, millis: i64, who: u8, role: Option<Role>) {
        let member = Member {
            at: at(millis),
            by: Actor::User(person(1)),
            email: format!("{who}@acme.com"),
            name: format!("Person {who}"),
            nonce: nonce(1),
            role,
            tenant: tenant(),
            user: person(who),
        };
        self.enter(at(millis), &member);
    }

    fn enrol(&mut self, id: u8, who: u8, key: &SigningKey) -> Record {
        let enrol = Enrol {
            challenge: nonce(2),
            device: device(id),
            name: "laptop".to_owned(),
            nonce: nonce(3),
            public_key: key.public_key(),
            tenant: tenant(),
            user: person(who),
        };
        self.enter(at(5), &enrol)
    }

    fn endorse(&mut self, id: u8, enrol: countersign_domain::Digest) {
        let endorse = Endorse {
            at: at(6),
            by: Endorsement::FirstDevice,
            device: device(id),
            device_seq: None,
            enrol,
            nonce: nonce(4),
            previous: None,
            tenant: tenant(),
        };
        self.enter(at(6), &endorse);
    }

    fn revoke(&mut self, id: u8, millis: i64) {
        let revoke = Revoke {
            at: at(millis),
            by: Actor::Server,
            compromised_since: None,
            device: device(id),
            last_good_seq: None,
            nonce: nonce(5),
            reason: "Lost.".to_owned(),
        };
        self.enter(at(millis), &revoke);
    }

    fn device(&self, id: u8) -> &Device {
        &self.0.devices[&device(id)]
    }
}

#[test]
fn a_role_is_the_newest_one_and_none_after_removal() {
    let mut book = Book::solo();
    assert_eq!(book.0.role(person(2)), None, "a stranger");
    book.member(10, 2, Some(Role::Approver));
    assert_eq!(book.0.role(person(2)), Some(Role::Approver));
    book.member(20, 2, Some(Role::Admin));
    assert_eq!(book.0.role(person(2)), Some(Role::Admin));
    book.member(30, 2, None);
    assert_eq!(book.0.role(person(2)), None, "a former member");
    assert!(
        book.0.members.contains_key(&person(2)),
        "whose name is still known"
    );
}

#[test]
fn membership_counts_from_the_last_return() {
    let mut book = Book::solo();
    let since = |book: &Book| book.0.members[&person(2)].since;
    book.member(10, 2, Some(Role::Member));
    book.member(20, 2, Some(Role::Auditor));
    assert_eq!(since(&book), at(10), "another role is no new membership");
    book.member(30, 2, None);
    book.member(40, 2, Some(Role::Member));
    assert_eq!(since(&book), at(40));
}

#[test]
fn a_second_person_who_decides_makes_a_company_for_ever() {
    for role in [Role::Approver, Role::Admin, Role::Owner] {
        let mut book = Book::solo();
        assert_eq!(book.0.mode(), Mode::Solo);
        book.member(1, 2, Some(Role::Member));
        book.member(2, 3, Some(Role::Auditor));
        assert_eq!(book.0.mode(), Mode::Solo, "they decide nothing");
        book.member(3, 2, Some(role));
        assert_eq!(book.0.mode(), Mode::Company, "{role:?} does");
        book.member(4, 2, None);
        assert_eq!(book.0.mode(), Mode::Company, "one way");
        book.genesis(Mode::Solo);
        assert_eq!(book.0.mode(), Mode::Company, "nor by a second genesis");
    }
}

#[test]
fn a_journal_has_one_genesis() {
    let mut book = Book::default();
    assert_eq!(book.0.mode(), Mode::Company, "without one, the stricter mode");
    book.genesis(Mode::Company);
    let first = book.0.tenant.clone();
    let mut second = samples::genesis();
    second.log_key = key(8).public_key();
    book.enter(at(9), &second);
    assert_eq!(book.0.tenant, first, "the log's key cannot be swapped");
}

#[test]
fn a_device_counts_from_its_endorsement_to_its_revocation() {
    let mut book = Book::solo();
    let enrol = book.enrol(1, 1, &key(1));
    assert!(!book.device(1).is_active(), "it waits to be vouched for");
    book.endorse(1, enrol.digest);
    assert!(book.device(1).is_active());
    book.revoke(1, 20);
    assert!(!book.device(1).is_active());
    book.revoke(1, 30);
    assert_eq!(book.device(1).revoked_at, Some(at(20)), "the first time counts");
    book.endorse(1, enrol.digest);
    book.enrol(1, 1, &key(1));
    assert!(!book.device(1).is_active(), "nothing brings it back");
}

#[test]
fn an_endorsement_is_for_one_enrolment_and_its_key() {
    let mut book = Book::solo();
    let enrol = book.enrol(1, 1, &key(1));
    book.endorse(1, digest("another enrolment"));
    assert!(!book.device(1).is_active(), "it vouches for another key");
    book.endorse(2, enrol.digest);
    assert!(!book.device(1).is_active(), "it vouches for another device");
    assert_eq!(book.0.devices.len(), 1, "and makes none");
    book.endorse(1, enrol.digest);
    assert!(book.device(1).is_active());
}

#[test]
fn an_endorsement_that_was_refused_counts_at_no_point_of_the_journal() {
    let mut book = Book::solo();
    let enrol = book.enrol(1, 1, &key(1));
    let endorse = Endorse {
        at: at(5),
        by: Endorsement::Device(device(2)),
        device: device(1),
        device_seq: Some(1),
        enrol: enrol.digest,
        nonce: nonce(8),
        previous: None,
        tenant: tenant(),
    };
    let refused = Record::unsigned(&endorse).unwrap();
    let refuse = Refuse {
        at: at(5),
        device: device(2),
        reason: Reason::NotEligible,
        record: refused.digest,
    };
    book.enter(at(5), &refuse);
    assert!(!book.device(1).is_active());
    book.enter(at(5), &endorse);
    assert!(!book.device(1).is_active());
    assert_eq!(book.0.refused, [(refused.digest, device(2))].into());
    book.endorse(1, enrol.digest);
    assert!(book.device(1).is_active(), "another one counts");
}

#[test]
fn a_used_device_id_cannot_be_given_another_key() {
    let mut book = Book::solo();
    let first = book.enrol(1, 1, &key(1));
    let second = book.enrol(1, 2, &key(2));
    assert_eq!(book.device(1).key, key(1).public_key());
    assert_eq!(book.device(1).user, person(1));
    book.endorse(1, second.digest);
    assert!(!book.device(1).is_active(), "the second enrolment does not exist");
    book.endorse(1, first.digest);
    book.enrol(1, 2, &key(2));
    assert_eq!(
        book.device(1).key,
        key(1).public_key(),
        "nor behind an endorsement"
    );
}

#[test]
fn revoking_a_device_that_nobody_knows_changes_nothing() {
    let mut book = Book::solo();
    let before = book.0.clone();
    book.revoke(7, 10);
    assert_eq!(book.0, before);
}

#[test]
fn the_code_of_an_enrolment_has_six_digits_and_belongs_to_its_digest() {
    let mut book = Book::solo();
    let enrol = book.enrol(1, 1, &key(1));
    assert_eq!(book.device(1).code(), enrolment_code(enrol.digest));
    for number in 0..500 {
        let code = enrolment_code(digest(&number.to_string()));
        assert!(
            code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()),
            "{code}"
        );
    }
}

#[test]
fn agents_invitations_connections_and_tools_are_as_their_newest_record() {
    let mut book = Book::solo();
    let agent = samples::agent();
    book.enter(at(10), &agent);
    book.enter(
        at(20),
        &Agent {
            revoked: true,
            ..agent.clone()
        },
    );
    let known = &book.0.agents[&agent.agent];
    assert!(known.revoked);
    assert_eq!(known.since, at(10), "since its registration");
    assert_eq!(book.0.agent_owner(agent.agent), agent.owner);

    let invite = samples::invite();
    book.enter(at(10), &invite);
    assert_eq!(book.0.invites.len(), 1);
    book.enter(at(20), &Invite { role: None, ..invite });
    assert_eq!(book.0.invites.len(), 0, "withdrawn");

    let connection = samples::connection();
    book.enter(at(10), &connection);
    assert_eq!(book.0.connections_of(connection.kind).count(), 1);
    book.enter(
        at(20),
        &Connection {
            removed: true,
            ..connection
        },
    );
    assert_eq!(book.0.connections.len(), 0, "removed");

    let manifest = samples::manifest();
    let record = book.enter(at(10), &manifest);
    assert_eq!(book.0.tools[&manifest.id].0, record.digest);
    assert_eq!(
        manifest.digest(),
        Ok(record.digest),
        "proposals pin the record's digest"
    );
    let mut newer = manifest.clone();
    newer.version = "2.0.0".to_owned();
    book.enter(at(20), &newer);
    assert_eq!(book.0.tools[&manifest.id].1, newer);
}

#[test]
fn every_kind_is_about_people_or_refused() {
    for record in samples::records() {
        let mut book = Book::solo();
        let before = book.0.clone();
        let applied = book.0.apply(at(1), &record);
        if KINDS.contains(&record.kind) {
            assert_eq!(applied, Ok(()), "{}", record.kind);
        } else {
            assert_eq!(applied, Err(FoldError::NotOurs(record.kind)));
            assert_eq!(book.0, before, "{} says nothing about people", record.kind);
        }
    }
}

#[test]
fn a_body_that_does_not_parse_changes_nothing() {
    for record in samples::records() {
        let mut book = Book::solo();
        let before = book.0.clone();
        let broken = Record::new(record.kind, b"{}".to_vec(), record.signature);
        assert!(book.0.apply(at(1), &broken).is_err());
        assert_eq!(book.0, before, "{}", broken.kind);
    }
    assert_eq!(Kind::ALL.len(), 28, "all kinds were tried");
}
