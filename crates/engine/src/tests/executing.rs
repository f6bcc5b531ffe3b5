use countersign_domain::{
    Millis,
    id::ProposalId,
    record::{Holder, Mode},
    wire::Claim,
};
use countersign_tools::executor::{BeginAnswer, Beginning, Intent, Ledger as _};

use super::world::{Device, MailServer, World};
use crate::reconcile::ledger::DeviceLedger;

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_approved_offline_leaves_once_when_the_tenant_is_back() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    let id = world.propose_mail("new@customer.example").await;
    let card = device.card(id).await;
    assert!(
        card.approve.must_read_to_end && card.approve.after_ms == 2_000,
        "a high risk is read to its end"
    );

    device.offline().await;
    device.approve(id).await;
    let device = device.crash(true).await;
    assert!(
        device
            .words(id)
            .await
            .starts_with("Saved on this device. Counts only if sent before")
    );
    assert_eq!(mail.mails().len(), 0, "an offline device causes no effect");

    world.clock.stand_still();
    device.fakes.clock.stand_still();
    device.engine.cut_off(false);
    device.says(id, "Held until").await;
    world.clock.advance(Millis::seconds(10));
    device.fakes.clock.advance(Millis::seconds(10));
    device.engine.refresh();
    device.says(id, "Done").await;
    let device = device.crash(false).await;
    device.online().await;
    device.engine.refresh();
    assert_eq!(mail.mails().len(), 1, "exactly once");
    assert!(
        mail.mails()[0].contains("Subject: Invoice 7"),
        "with the bytes that were approved"
    );
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

/// A mail, up to the accepted begin, as the executor does it.
async fn begun(world: &World, device: &Device) -> (ProposalId, u64) {
    let id = world.propose_mail("new@customer.example").await;
    (id, begin(device, id).await)
}

pub(super) async fn begin(device: &Device, id: ProposalId) -> u64 {
    device.engine.stop_task("execute");
    device.approve(id).await;
    let seat = device.engine.seat().unwrap();
    let lease = loop {
        let claim = Claim {
            device: seat.device(),
            manifests: seat.registry.manifests().map(|(digest, _)| digest).collect(),
            limit: 1,
        };
        if let Some(lease) = seat.client.claim(&claim).await.unwrap().leases.pop() {
            break lease;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let card = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await;
    let state = card.unwrap().unwrap().state;
    let beginning = Beginning {
        at: seat.now(),
        authority: lease.authority,
        executor: Holder::Device(seat.device()),
        fence: lease.fence,
        preview: state.preview,
        proposal: id,
        proposal_digest: state.digest,
    };
    let ledger = DeviceLedger::new(&seat);
    assert_eq!(ledger.begin(&beginning).await.unwrap(), BeginAnswer::Begun);
    lease.fence
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_begin_and_intent_is_a_failure_in_which_nothing_was_sent() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    device.online().await;
    let (id, _) = begun(&world, &device).await;
    let device = device.crash(false).await;
    device
        .says(id, "Failed: Countersign was interrupted before anything was sent")
        .await;
    assert_eq!(mail.mails().len(), 0);
}

/// A device that was interrupted between its intent and the end of the call: a mail.
pub(super) async fn interrupted(world: &World, device: Device) -> (Device, ProposalId) {
    let id = world.propose_mail("new@customer.example").await;
    (interrupted_at(device, id, false).await, id)
}

/// A device that approves a call and is interrupted behind its intent, and comes back `offline` or not.
pub(super) async fn interrupted_at(device: Device, id: ProposalId, offline: bool) -> Device {
    let fence = begin(&device, id).await;
    let seat = device.engine.seat().unwrap();
    let digest = seat
        .journal
        .read(move |reader| Ok(reader.proposal(id)?))
        .await
        .unwrap()
        .unwrap()
        .state
        .digest;
    let intent = Intent {
        at: seat.now(),
        attempt: 1,
        fence,
        proposal: id,
        proposal_digest: digest,
        reference: None,
    };
    let ledger = DeviceLedger::new(&seat);
    ledger.intend(&intent).await.unwrap();
    assert!(
        ledger.intend(&intent).await.is_err(),
        "a second intent for one begin would be a second call"
    );
    drop((ledger, seat));
    device.crash(offline).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_intent_is_unknown_and_never_tried_again() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    device.online().await;
    let (device, id) = interrupted(&world, device).await;
    device.says(id, "Unknown, it may have happened. ").await;
    let device = device.crash(false).await;
    device.online().await;
    device.says(id, "Unknown, it may have happened. ").await;
    assert_eq!(mail.mails().len(), 0, "what is not known is not tried again");
}
