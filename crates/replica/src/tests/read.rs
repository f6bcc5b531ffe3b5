use countersign_domain::{
    Record, UnixMillis,
    record::{Actor, Body as _, Holder, Reason, Refuse, Withdraw},
    render::RenderError,
};

use super::*;
use crate::ReadError;

#[test]
fn a_card_has_everything_that_the_proposal_names() {
    let mut journal = JournalBuilder::new();
    let connection = journal.connection(Holder::Tenant);
    let id = journal.propose(Draft {
        connection: Some(connection.clone()),
        ..Draft::default()
    });
    journal.preview(id);
    let here = Here::with(&journal);
    let card = here.reader().proposal(id).unwrap().unwrap();
    assert_eq!(card.connection.as_ref().unwrap().id, connection.id);
    assert!(card.preview.is_some());
    assert_eq!(card.state.digest, journal.digest_of(id));
    assert!(card.view().is_ok());
    assert_eq!(here.reader().open_over(connection.id).unwrap(), 1);
}

#[test]
fn without_the_manifest_there_is_no_card() {
    let mut journal = JournalBuilder::new();
    let id = journal.propose(Draft::default());
    let mut page = journal.page(0, 100);
    for entry in page.entries.iter_mut().filter(|entry| entry.kind == "manifest") {
        entry.body = None;
    }
    let mut here = Here::new();
    here.replica.apply(&page, &journal.log()).unwrap();
    let card = here.reader().proposal(id).unwrap().unwrap();
    assert_eq!(card.view(), Err(RenderError::Manifest));
}

#[test]
fn an_edited_body_makes_no_card() {
    let mut journal = JournalBuilder::new();
    let id = journal.propose(Draft::default());
    let here = Here::with(&journal);
    let seq = here.reader().row(id, journal.at).unwrap().unwrap().created_seq;
    let body = here.reader().entry(seq).unwrap().unwrap().body.unwrap();
    let edited = crate::packed::pack(body.replace("Ada", "Eve").as_bytes()).unwrap();
    here.replica
        .connection
        .execute("UPDATE body SET bytes = ?2 WHERE seq = ?1", (seq as i64, edited))
        .unwrap();
    let verdict = here.reader().proposal(id);
    assert!(matches!(verdict, Err(ReadError::Tampered { .. })), "{verdict:?}");
}

#[test]
fn an_edited_line_makes_no_card() {
    let mut journal = JournalBuilder::new();
    let id = journal.propose(Draft::default());
    for edit in [
        "sentence = 'Nothing to see'",
        "status = 'pending'",
        "list = 'done'",
        "lapses_ms = NULL",
        "expires_ms = expires_ms + 1",
        "risk = 0",
        "gap = 'newer_version'",
        "proposer = 'Olga Owner'",
    ] {
        let here = Here::with(&journal);
        here.replica
            .connection
            .execute(&format!("UPDATE proposal SET {edit}"), [])
            .unwrap();
        let verdict = here.reader().proposal(id);
        assert!(
            matches!(verdict, Err(ReadError::Projection(_))),
            "{edit}: {verdict:?}"
        );
    }
}

#[test]
fn people_are_folded_from_the_journal() {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Approver);
    let device = journal.device(ada);
    journal.revoke(&device);
    journal.agent("Helpful agent", Some(ada));
    let here = Here::with(&journal);
    let people = here.reader().people().unwrap();
    assert_eq!(people.role(ada), Some(Role::Approver));
    assert!(!people.devices[&device.id].is_active());
    assert_eq!(people.agents.len(), 1);
    assert_eq!(people.tools.len(), 1);
}

#[test]
fn who_an_unreadable_entry_is_about_counts_for_nothing() {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Approver);
    let bob = journal.member("Bob", Role::Approver);
    let device = journal.device(ada);
    let agent = journal.agent("Helpful agent", None);
    let connection = journal.connection(Holder::Tenant);
    journal.revoke(&device);
    journal.set_member(bob, "Bob", None);
    journal.append_entry("agent", format!("agent/{agent}"), Some("{}".to_owned()), None);
    journal.append_entry(
        "rotate",
        format!("connection/{}", connection.id),
        Some("{}".to_owned()),
        None,
    );
    let mut page = journal.page(0, 100);
    let size = page.entries.len();
    for entry in &mut page.entries[size - 4..] {
        if matches!(entry.kind.as_str(), "revoke" | "member") {
            entry.body = None;
        }
    }
    let mut here = Here::new();
    here.replica.apply(&page, &journal.log()).unwrap();
    let people = here.reader().people().unwrap();
    assert!(
        !people.devices[&device.id].is_active(),
        "its revocation is withheld"
    );
    assert_eq!(people.role(bob), None, "his removal is withheld");
    assert!(people.agents[&agent].revoked, "it says something unreadable");
    assert_eq!(
        people.connections.len(),
        0,
        "a later version says something of it"
    );
    assert_eq!(
        people.role(ada),
        Some(Role::Approver),
        "the others are as they were"
    );
}

#[test]
fn a_device_that_numbers_two_records_alike_is_seen() {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Approver);
    let mut device = journal.device(ada);
    let id = journal.propose(Draft::default());
    let mut twin = device.clone();
    let last = journal.decide_on(id, &mut device, Verdict::Approve);
    let mut here = Here::with(&journal);
    let chain = here.reader().device_chain(device.id).unwrap();
    assert_eq!((chain.last_seq, chain.last, chain.forked), (1, Some(last), false));
    journal.decide_on(id, &mut twin, Verdict::Reject);
    here.pull(&journal, 100);
    assert!(here.reader().device_chain(device.id).unwrap().forked);
}

#[test]
fn what_a_device_signed_and_was_refused_uses_its_number_and_says_nothing_else() {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Approver);
    let device = journal.device(ada);
    let id = journal.propose(Draft::default());
    let withdraw = Withdraw {
        at: UnixMillis(0),
        by: Actor::User(ada),
        device: Some(device.id),
        device_seq: Some(1),
        nonce: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        previous: None,
        proposal: id,
        reason: None,
    };
    let record = Record::signed(&withdraw, &device.key).unwrap();
    let refuse = Refuse {
        at: UnixMillis(0),
        device: device.id,
        reason: Reason::UnknownProposal,
        record: record.digest,
    };
    journal.append(&refuse);
    let body = String::from_utf8(record.bytes().to_vec()).unwrap();
    journal.append_entry("withdraw", refuse.subject(), Some(body), record.signature);
    let here = Here::with(&journal);
    let people = here.reader().people().unwrap();
    assert!(
        people.devices[&device.id].is_active(),
        "nothing about it is in doubt"
    );
    assert_eq!(people.refused, [(record.digest, device.id)].into());
    let card = here.reader().proposal(id).unwrap().unwrap();
    assert_eq!(card.state.closed, None, "nobody took it back");
    let chain = here.reader().device_chain(device.id).unwrap();
    assert_eq!((chain.last_seq, chain.last), (1, Some(record.digest)));
}

#[test]
fn tasks_come_newest_first() {
    let mut journal = JournalBuilder::new();
    for _ in 0..3 {
        let id = journal.propose(Draft::default());
        journal.begin(id, Vec::new());
        journal.receipt(id, Outcome::Completed);
    }
    let here = Here::with(&journal);
    let reader = here.reader();
    let first = reader.tasks(None, 2).unwrap();
    assert_eq!(first.tasks.len(), 2);
    let rest = reader.tasks(first.next, 2).unwrap();
    assert_eq!((rest.tasks.len(), rest.next), (1, None));
    assert!(first.tasks[1].seq > rest.tasks[0].seq);
}

#[test]
fn history_is_in_the_journals_order() {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Approver);
    let id = journal.propose(Draft::default());
    journal.propose(Draft::default());
    journal.decide(id, ada, Verdict::Approve);
    let here = Here::with(&journal);
    let kinds: Vec<_> = here
        .reader()
        .history(id)
        .unwrap()
        .into_iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(kinds, ["proposal", "evaluation", "decision"]);
}
