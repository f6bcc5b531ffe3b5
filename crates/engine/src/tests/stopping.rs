use countersign_domain::record::{Mode, Scope};

use super::{
    executing::{begin, interrupted},
    world::{Device, MailServer, World, eventually},
};
use crate::{
    ErrorCode, Resolve,
    views::{StateKind, inbox::InboxView, stops::StopRow},
};

impl Device {
    async fn stops(&self) -> Vec<StopRow> {
        self.engine.app_state().await.unwrap().home.unwrap().stops
    }

    async fn stop_says(&self, beginning: &str) {
        eventually(beginning, async || {
            let stops = self.stops().await;
            stops
                .first()
                .is_some_and(|stop| stop.words.starts_with(beginning))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_was_signed_offline_holds_once_the_tenant_has_it_and_ends_with_a_typed_word() {
    let world = World::new(Mode::Solo).await;
    let device = world.device().await;
    device.offline().await;
    device
        .engine
        .stop(Scope::Tenant, Some("Mails go to everybody".to_owned()))
        .await
        .unwrap();
    device.stop_says("Saved on this device").await;
    let twice = device
        .engine
        .stop(Scope::Tenant, Some("bad\u{202E}".to_owned()))
        .await;
    assert_eq!(
        twice.unwrap_err().field.as_deref(),
        Some("reason"),
        "everybody would read it"
    );
    let device = device.crash(true).await;
    device.stop_says("Saved on this device").await;

    device.engine.cut_off(false);
    device.stop_says("You stopped it").await;
    assert!(device.stops().await[0].words.contains("Mails go to everybody"));
    let again = device.engine.stop(Scope::Tenant, None).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::Refused, "it is stopped already");

    let id = world.propose_task("Waits for the release").await;
    device.approve(id).await;
    device.says(id, "Approved by you, stopped").await;
    let wrong = device
        .engine
        .release(Scope::Tenant, Some("yes".to_owned()))
        .await
        .unwrap_err();
    assert_eq!(
        wrong.field.as_deref(),
        Some("confirmation"),
        "nobody else is there to agree"
    );
    assert!(
        device.words(id).await.starts_with("Approved by you"),
        "it still stands"
    );
    device
        .engine
        .release(Scope::Tenant, Some("release".to_owned()))
        .await
        .unwrap();
    eventually("nothing stands still", async || device.stops().await.is_empty()).await;
    device.says(id, "Done").await;
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_names_what_had_begun_under_it_until_that_is_over() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    device.online().await;
    let id = world.propose_mail("new@customer.example").await;
    begin(&device, id).await;
    let mails = Scope::Tool("email.send".to_owned());
    for scope in [mails, Scope::Tool("assistant.create_task".to_owned())] {
        device.engine.stop(scope, None).await.unwrap();
    }
    eventually("the mail is in flight, and under its own stop", async || {
        let stops = device.stops().await;
        let named: Vec<_> = stops
            .iter()
            .map(|stop| stop.in_flight.iter().map(|call| call.id).collect::<Vec<_>>())
            .collect();
        stops.len() == 2 && named.contains(&vec![id]) && named.contains(&vec![])
    })
    .await;
    let stops = device.stops().await;
    let call = stops.iter().find_map(|stop| stop.in_flight.first()).unwrap();
    assert!(call.sentence.contains("new@customer.example"), "{call:?}");
    let device = device.crash(false).await;
    device.says(id, "Failed").await;
    let stops = device.stops().await;
    assert!(stops.iter().all(|stop| stop.in_flight.is_empty()), "it is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_company_a_stop_ends_once_two_people_want_it() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "bob").await;
    world.vouch(&ada, &bob).await;
    let tool = Scope::Tool("assistant.create_task".to_owned());
    bob.engine.stop(tool.clone(), None).await.unwrap();
    ada.stop_says("bob stopped it").await;
    ada.engine.release(tool.clone(), None).await.unwrap();
    eventually("ada has said it", async || {
        let stops = ada.stops().await;
        stops[0].words.contains("one more is needed") && !stops[0].release.is_allowed()
    })
    .await;
    let twice = ada.engine.release(tool.clone(), None).await.unwrap_err();
    assert_eq!(twice.code, ErrorCode::Refused);
    eventually("bob knows", async || {
        bob.stops()
            .await
            .first()
            .is_some_and(|stop| stop.words.contains("one more"))
    })
    .await;
    bob.engine.release(tool, None).await.unwrap();
    eventually("it is over for both", async || {
        ada.stops().await.is_empty() && bob.stops().await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_stands_first_in_the_inbox_until_somebody_says_what_became_of_it() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    device.online().await;
    let (device, id) = interrupted(&world, device).await;
    device.says(id, "Unknown, it may have happened. ").await;
    device.online().await;
    let other = world.propose_task("Another").await;
    device.card(other).await;
    let inbox = device.inbox(InboxView::ToDecide).await;
    let rows: Vec<_> = inbox.rows.iter().map(|row| row.id).collect();
    assert_eq!((rows, inbox.total), (vec![id, other], 2));

    let settle = device.card(id).await.settle.unwrap();
    assert!(
        settle.arm.is_armed() && settle.advice.contains("say what you found"),
        "{settle:?}"
    );
    device.offline().await;
    let word = Resolve {
        id,
        happened: false,
        note: Some("The log of the mail server has nothing.".to_owned()),
        confirmation: None,
    };
    device.engine.resolve(word.clone()).await.unwrap();
    device
        .says(id, "What you said of it is saved on this device")
        .await;
    let twice = device.engine.resolve(word).await.unwrap_err();
    assert_eq!(twice.code, ErrorCode::Refused);
    device.engine.cut_off(false);
    device.says(id, "It did not happen, said you ").await;
    let card = device.card(id).await;
    assert_eq!(card.state.kind, StateKind::Failed);
    assert!(card.settle.is_none());
    assert_eq!(device.inbox(InboxView::ToDecide).await.total, 1);
    assert_eq!(mail.mails().len(), 0);
    assert!(device.engine.verify_journal().await.unwrap().ok);
}
