use countersign_domain::{
    Millis,
    record::{Mode, Risk},
    render::{PreviewView, flat},
    wire::RevokeRequest,
};

use super::world::{MailServer, World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_decides_sees_what_the_holder_of_the_connection_says_would_leave() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let holder = world.device().await;
    holder.add_mail(&mail).await;
    let other = world.colleague(&holder, "Bob").await;
    world.vouch(&holder, &other).await;
    let id = world.propose_mail("new@customer.example").await;
    for device in [&holder, &other] {
        let Some(PreviewView::Shown { lines }) = device.card(id).await.view.unwrap().preview else {
            panic!("no preview");
        };
        let lines: Vec<String> = lines
            .iter()
            .map(|line| format!("{}: {}", flat(&line.name), flat(&line.value)))
            .collect();
        assert!(lines.contains(&"Subject: Invoice 7".to_owned()), "{lines:?}");
        assert!(
            lines.contains(&"From: office@acme.example".to_owned()),
            "{lines:?}"
        );
    }
    other.approve(id).await;
    holder.says(id, "Done").await;
    assert_eq!(mail.mails().len(), 1);
    assert!(holder.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_who_is_away_for_a_minute_makes_the_call_riskier_and_runs_it_when_back() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let holder = world.device().await;
    holder.add_mail(&mail).await;
    let other = world.colleague(&holder, "Bob").await;
    world.vouch(&holder, &other).await;
    holder.offline().await;
    let id = world.propose_mail("new@customer.example").await;
    eventually("it is here", async || other.engine.card(id).await.is_ok()).await;
    let early = other.engine.card(id).await.unwrap();
    assert_eq!(early.risk, Risk::High);
    assert!(!early.approve.is_armed(), "nobody has looked");
    assert!(early.reject.is_armed(), "a no needs no preview");

    world.clock.advance(Millis::seconds(61));
    let card = other.card(id).await;
    assert_eq!(card.risk, Risk::Critical, "one step up");
    assert!(matches!(
        card.view.unwrap().preview,
        Some(PreviewView::Unavailable { .. })
    ));
    assert!(card.confirm.is_some(), "and so something has to be typed");
    other.approve(id).await;
    holder.engine.cut_off(false);
    holder.says(id, "Done").await;
    assert_eq!(mail.mails().len(), 1, "exactly once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_approved_in_good_hands_still_leaves_when_that_device_is_gone() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let holder = world.device().await;
    holder.add_mail(&mail).await;
    let (second, bob) = (world.device().await, world.colleague(&holder, "Bob").await);
    world.vouch(&holder, &second).await;
    world.vouch(&holder, &bob).await;
    let id = world.propose_mail("new@customer.example").await;
    bob.card(id).await;
    holder.offline().await;
    bob.approve(id).await;
    eventually("the journal has the approval", async || {
        !second.card(id).await.decisions.is_empty()
    })
    .await;
    let replaced = RevokeRequest {
        reason: "replaced by another".to_owned(),
        decisions_stand: true,
        ..RevokeRequest::default()
    };
    let gone = bob.engine.seat().unwrap().device();
    second.engine.revoke_device(gone, replaced).await.unwrap();
    holder.engine.cut_off(false);
    holder.says(id, "Done").await;
    assert_eq!(mail.mails().len(), 1);
}
