use countersign_domain::{
    Millis,
    form::Input,
    id::ProposalId,
    record::Mode,
    render::{Change, flat},
};

use super::world::{Device, MailServer, World, eventually};
use crate::{
    Edit, ErrorCode,
    views::{StateKind, inbox::InboxView},
};

fn edit(id: ProposalId, entered: &[(&str, &str)]) -> Edit {
    let entered = entered
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Edit {
        id,
        entered: entered.collect(),
        note: String::new(),
        not_before: None,
    }
}

impl Device {
    async fn takes_the_place(&self, new: ProposalId, of: ProposalId) {
        eventually("the journal has the edit", async || {
            let card = self.engine.card(of).await;
            card.is_ok_and(|card| card.lineage.replaced_by == Some(new))
                && self.engine.card(new).await.is_ok()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_edits_what_an_agent_asked_for_and_another_person_sees_what_changed_and_approves_it() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let ada = world.device().await;
    ada.add_mail(&mail).await;
    ada.online().await;
    let bob = world.colleague(&ada, "bob").await;
    world.vouch(&ada, &bob).await;
    let first = world.propose_mail("customer@northwind.example").await;
    bob.card(first).await;

    let form = bob.engine.edit_form(first).await.unwrap();
    assert!(
        form.consequence.contains("another person has to approve it"),
        "{}",
        form.consequence
    );
    let shown: Vec<_> = form
        .fields
        .iter()
        .filter(|field| !field.text.is_empty())
        .map(|field| {
            (
                field.label.as_str(),
                &field.input,
                field.required,
                field.text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("To", &Input::Items, true, "customer@northwind.example"),
            ("Subject", &Input::Line, true, "Invoice 7"),
            (
                "Text",
                &Input::Text,
                true,
                "Dear customer,\nplease find the invoice."
            ),
        ]
    );

    let typed = edit(
        first,
        &[
            ("to", "customer@northwind.example\nbooks@northwind.example"),
            ("body", "Dear customer,\nplease find the corrected invoice."),
            ("cc", "office@acme.example"),
        ],
    );
    let draft = bob.engine.draft_edit(typed.clone()).await.unwrap();
    assert_eq!((draft.problem, draft.changed), (None, true));
    let changes: Vec<_> = draft
        .differences
        .iter()
        .map(|one| (one.label.as_str(), one.change))
        .collect();
    assert_eq!(
        changes,
        [
            ("To", Change::Changed),
            ("Cc", Change::Added),
            ("Subject", Change::Unchanged),
            ("Text", Change::Changed),
        ]
    );
    let second = bob.engine.submit_edit(typed).await.unwrap();
    ada.takes_the_place(second, first).await;
    bob.takes_the_place(second, first).await;

    let old = ada.card(first).await;
    assert_eq!(
        (old.state.kind, old.state.words.as_str()),
        (StateKind::Superseded, "Edited by bob")
    );
    assert!(!old.approve.is_armed() && old.edit.is_none(), "it is over");
    let card = ada.card(second).await;
    let before = card.lineage.replaces.unwrap();
    assert_eq!((before.id, before.words.as_str()), (first, "Edited by bob"));
    let text = before.differences.iter().find(|one| one.label == "Text").unwrap();
    let lines: Vec<_> = text
        .lines
        .iter()
        .map(|line| (line.change, flat(&line.text)))
        .collect();
    assert_eq!(
        lines,
        [
            (Change::Unchanged, "Dear customer,".to_owned()),
            (Change::Removed, "please find the invoice.".to_owned()),
            (Change::Added, "please find the corrected invoice.".to_owned()),
        ],
        "from the two records"
    );
    assert_eq!(card.expires_at, old.expires_at, "its clock goes on");
    let why = bob.card(second).await.approve.why_not.unwrap();
    assert!(why.contains("somebody else decides"), "{why}");
    let confirm = card.confirm.is_some();
    assert!(!confirm, "ada has nothing to do with the edit");
    ada.approve(second).await;
    world.clock.advance(Millis::seconds(11));
    ada.fakes.clock.advance(Millis::seconds(11));
    ada.says(second, "Done").await;
    assert_eq!(mail.mails().len(), 1, "only the edit was sent");
    assert!(mail.mails()[0].contains("corrected invoice"));
    assert!(ada.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_kept_while_the_tenant_is_away_and_through_a_crash() {
    let world = World::new(Mode::Solo).await;
    let device = world.device().await;
    let first = world.propose_task("Pay 4711 today").await;
    device.card(first).await;
    device.offline().await;
    let mut typed = edit(first, &[("title", "Pay 4711 on Friday")]);
    typed.note = "The account is empty today.".to_owned();
    device.engine.draft_edit(typed.clone()).await.unwrap();
    let away = device.engine.submit_edit(typed).await.unwrap_err();
    assert_eq!(away.code, ErrorCode::Offline);
    assert!(away.message.contains("kept on this device"), "{away}");
    let device = device.crash(true).await;
    device.card(first).await;
    let form = device.engine.edit_form(first).await.unwrap();
    assert!(form.kept);
    assert_eq!(form.note, "The account is empty today.");
    assert_eq!(form.fields[0].text, "Pay 4711 on Friday");
    assert!(
        form.consequence.contains("typed confirmation"),
        "{}",
        form.consequence
    );

    device.engine.cut_off(false);
    device.online().await;
    let again = Edit {
        id: first,
        entered: form
            .fields
            .into_iter()
            .map(|field| (field.name, field.text))
            .collect(),
        note: form.note,
        not_before: Some(form.not_before),
    };
    let second = device.engine.submit_edit(again).await.unwrap();
    device.takes_the_place(second, first).await;
    let card = device.card(second).await;
    assert_eq!(
        card.untrusted.note.as_deref(),
        Some("The account is empty today.")
    );
    assert!(
        card.confirm.is_some(),
        "who edits confirms, where nobody else is there"
    );
    device.approve(second).await;
    device.says(second, "Done").await;
    assert_eq!(
        device.engine.tasks(None).await.unwrap().tasks[0].title,
        "Pay 4711 on Friday"
    );
    assert_eq!(device.inbox(InboxView::ToDecide).await.total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_said_at_its_field_and_nothing_is_sent() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    device.online().await;
    let id = world.propose_mail("customer@northwind.example").await;
    device.card(id).await;
    for (name, text) in [
        ("to", "nobody"),
        ("subject", ""),
        ("body", "  "),
        ("cc", "a@b.example\nnot an address"),
    ] {
        let typed = edit(id, &[(name, text)]);
        let draft = device.engine.draft_edit(typed.clone()).await.unwrap();
        let problem = draft.problem.unwrap();
        assert_eq!(problem.name, name, "{problem}");
        let refused = device.engine.submit_edit(typed).await.unwrap_err();
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (ErrorCode::Invalid, Some(name))
        );
    }
    let nothing = device.engine.submit_edit(edit(id, &[])).await.unwrap_err();
    assert_eq!(nothing.message, "Nothing is different from what was asked.");
    device.engine.discard_edit(id).await.unwrap();
    assert!(!device.engine.edit_form(id).await.unwrap().kept);
    assert_eq!(
        device.card(id).await.state.kind,
        StateKind::Proposed,
        "nothing was sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_cannot_be_edited_and_what_was_typed_says_why() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let id = world.propose_task("Order paper").await;
    assert!(device.card(id).await.edit.unwrap().is_armed());
    let typed = edit(id, &[("title", "Order less paper")]);
    device.engine.draft_edit(typed.clone()).await.unwrap();
    device.approve(id).await;
    device.says(id, "Done").await;
    assert!(device.card(id).await.edit.is_none());
    let late = device.engine.submit_edit(typed).await.unwrap_err();
    assert_eq!(late.code, ErrorCode::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_to_nothing_is_asked_for_again_as_it_was_or_changed_and_decided_by_somebody_else() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "bob").await;
    world.vouch(&ada, &bob).await;
    let first = world.propose_task("Order paper").await;
    bob.card(first).await;
    let open = bob.engine.edit_form(first).await.unwrap();
    assert!(!open.again);
    ada.reject(first, "Not this month").await;
    ada.fakes.clock.advance(Millis::seconds(11));
    bob.says(first, "Rejected").await;

    let form = bob.engine.edit_form(first).await.unwrap();
    assert!(form.again && form.consequence.contains("another person has to approve it"));
    let second = bob.engine.submit_edit(edit(first, &[])).await.unwrap();
    let twice = bob.engine.submit_edit(edit(first, &[])).await.unwrap();
    assert_eq!(twice, second, "pressed twice it is asked for once");
    ada.says(second, "Waits for a decision").await;
    let card = ada.card(second).await;
    assert_eq!(card.lineage.retry_of, Some(first));
    let risks = card.view.unwrap().risk_reasons;
    assert!(
        risks.iter().any(|reason| flat(reason).contains("Not this month")),
        "it was denied, and that is said: {risks:?}"
    );
    assert!(
        !bob.card(second).await.approve.is_armed(),
        "who asks does not approve"
    );
    ada.approve(second).await;
    ada.says(second, "Done").await;
    assert!(
        ada.card(second).await.edit.is_none(),
        "what is done is not asked for again here"
    );
    bob.says(first, "Rejected").await;
}
