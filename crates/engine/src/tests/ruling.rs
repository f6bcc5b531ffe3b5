use countersign_domain::{
    Millis,
    record::{ApprovalRule, Assurance, Mode, Risk},
    render::{Change, flat},
};

use super::world::{Device, World, eventually};
use crate::{
    ErrorCode,
    views::rules::{NewTable, RulesPage},
};

const TASK: &str = "assistant.create_task";

fn rule(quorum: u32) -> ApprovalRule {
    ApprovalRule {
        assurance: None,
        hold: None,
        keep: None,
        lifetime: None,
        quorum,
        risk: None,
        tool: Some(TASK.to_owned()),
    }
}

impl Device {
    async fn rules(&self) -> RulesPage {
        self.engine.approval_rules().await.unwrap()
    }

    async fn table(&self, table: &[ApprovalRule], confirmation: Option<&str>) -> NewTable {
        NewTable {
            base: self.rules().await.base,
            table: table.to_vec(),
            confirmation: confirmation.map(str::to_owned),
        }
    }

    async fn holds(&self, table: &[ApprovalRule]) {
        eventually("the table is in force here", async || {
            let page = self.rules().await;
            page.table == table && !page.on_its_way
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stricter_table_holds_at_once_and_a_looser_one_waits_for_a_second_person() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "bob").await;
    world.vouch(&ada, &bob).await;
    let page = ada.rules().await;
    assert!(page.table.is_empty() && page.edit.is_allowed() && page.most_people == 2);
    assert!(
        page.tools
            .iter()
            .any(|(id, title)| id == TASK && title == "Create Task")
    );
    assert!(
        !bob.rules().await.edit.is_allowed(),
        "an approver does not write rules"
    );

    let strict = ada.table(&[rule(2)], None).await;
    let judged = ada.engine.judge_rules(&strict).await.unwrap();
    assert!(
        judged.ready && judged.words.contains("holds at once"),
        "{}",
        judged.words
    );
    let lines: Vec<_> = judged
        .difference
        .lines
        .iter()
        .map(|line| (line.change, flat(&line.text)))
        .collect();
    assert_eq!(lines, [(Change::Added, "Create Task: 2 people.".to_owned())]);
    ada.engine.change_rules(strict).await.unwrap();
    ada.holds(&[rule(2)]).await;
    let id = world.propose_task("Two people").await;
    assert!(
        ada.card(id)
            .await
            .why
            .sentence
            .contains("2 people have to approve")
    );

    let loose = ada.table(&[], None).await;
    let judged = ada.engine.judge_rules(&loose).await.unwrap();
    assert!(
        judged.ready && judged.words.contains("second person"),
        "{}",
        judged.words
    );
    ada.engine.change_rules(loose).await.unwrap();
    bob.holds(&[rule(2)]).await;
    eventually("bob is asked", async || !bob.rules().await.wanted.is_empty()).await;
    let wanted = bob.rules().await.wanted.remove(0);
    assert!(
        wanted.words.starts_with("Ada wants the rules to ask less"),
        "{}",
        wanted.words
    );
    assert!(wanted.confirm.is_allowed());
    assert_eq!(wanted.difference.lines[0].change, Change::Removed);
    eventually("ada sees that it waits", async || {
        let wanted = ada.rules().await.wanted;
        wanted.first().is_some_and(|wanted| !wanted.confirm.is_allowed())
    })
    .await;
    let same = bob.table(&wanted.table, None).await;
    bob.engine.change_rules(same).await.unwrap();
    ada.holds(&[]).await;
    assert!(ada.rules().await.wanted.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_a_looser_table_takes_a_typed_word_and_a_table_written_offline_holds_when_it_is_sent() {
    let world = World::new(Mode::Solo).await;
    let device = world.device().await;
    let sure = ApprovalRule {
        assurance: Some(Assurance::DeviceConfirmed),
        hold: Some(Millis::seconds(300)),
        keep: None,
        lifetime: Some(Millis::hours(8)),
        risk: Some(Risk::Medium),
        ..rule(1)
    };
    device.offline().await;
    let strict = device.table(std::slice::from_ref(&sure), None).await;
    device.engine.change_rules(strict.clone()).await.unwrap();
    let page = device.rules().await;
    assert!(
        page.on_its_way && page.table.is_empty(),
        "it holds once the tenant has it"
    );
    let twice = device.engine.change_rules(strict).await.unwrap_err();
    assert_eq!(twice.code, ErrorCode::Refused, "one at a time");
    device.engine.cut_off(false);
    device.holds(std::slice::from_ref(&sure)).await;

    let id = world.propose_task("Within the working day").await;
    let card = device.card(id).await;
    assert_eq!(
        card.expires_at,
        card.created_at + Millis::hours(8),
        "as long as the rule says"
    );
    assert!(card.confirm.is_some(), "and as surely");
    assert_eq!(
        card.after_approve, "It runs once, after 5 minutes in which you can undo.",
        "though the tool itself does not hold it"
    );
    device.approve(id).await;
    device.says(id, "Held until").await;
    device.engine.undo(id).await.unwrap();
    device.says(id, "Waits for a decision").await;

    let loose = device.table(&[], None).await;
    let judged = device.engine.judge_rules(&loose).await.unwrap();
    assert!(judged.confirm.is_some(), "nobody else is there to agree");
    let refused = device.engine.change_rules(loose).await.unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("confirmation"));
    let typed = device.table(&[], Some("loosen")).await;
    device.engine.change_rules(typed).await.unwrap();
    device.holds(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_says_why() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let odd = ApprovalRule {
        keep: None,
        lifetime: Some(Millis(90_500)),
        ..rule(1)
    };
    for (table, why) in [
        (vec![rule(2)], "1 person decides here: no rule can ask for more."),
        (
            vec![odd],
            "A time to live is from one minute to 30 days, in whole minutes.",
        ),
        (vec![rule(1); 101], "A table has at most 100 rules."),
        (vec![], "Nothing is different from the rules in force."),
    ] {
        let table = device.table(&table, None).await;
        let judged = device.engine.judge_rules(&table).await.unwrap();
        assert_eq!((judged.ready, judged.words.as_str()), (false, why));
        let refused = device.engine.change_rules(table).await.unwrap_err();
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (ErrorCode::Refused, why)
        );
    }
}
