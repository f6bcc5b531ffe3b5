import { cleanup, fireEvent, screen, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { error, type Scenario } from "./fake/core";
import { a11y, heading, open, pass, settle } from "./window";

beforeEach(() => {
  vi.useFakeTimers();
});

describe("before the main window", () => {
  it("starting says so", async () => {
    await open({ phase: { kind: "starting" } });
    expect(screen.getByRole("status")).toHaveTextContent("Opening");
    expect(await a11y()).toEqual([]);
  });

  it("a first run on this computer ends with a command line that connects an agent", async () => {
    const { core, user } = await open({ phase: { kind: "first_run" }, empty: true });
    expect(await a11y()).toEqual([]);
    await user.click(screen.getByRole("button", { name: /On this computer/ }));
    await user.type(screen.getByLabelText("Your name"), "Ada Byron");
    await user.click(screen.getByRole("button", { name: "Start" }));
    await settle();
    expect(core.calledWith("start_here")[0]).toEqual({
      form: { name: "Ada Byron", email: null, samples: true },
    });
    expect(screen.getByText(/^curl -sS http/)).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Open the inbox" }));
    await settle();
    expect(heading()).toContain("d.okafor@northwind");
  });

  it("a first run goes on from a copy, where there is one, and says when that cannot be", async () => {
    const { core, user } = await open({
      phase: { kind: "first_run" },
      empty: true,
      copies: [
        {
          folder: "/home/ada/Countersign backups/2026-11-22 13.26.48",
          name: "Ada on this computer",
          madeAt: "2026-11-22T13:26:48.140Z",
          entries: 1284,
        },
      ],
      failing: { put_back: error("refused", "Nothing was put back: the copy is not whole.") },
    });
    await user.click(screen.getByRole("button", { name: /On this computer/ }));
    const copies = within(screen.getByRole("region", { name: "Or go on from a copy" }));
    expect(copies.getByText(/1,284 entries/)).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.click(copies.getByRole("button", { name: /^Put back the copy of/ }));
    await settle();
    expect(copies.getByRole("alert")).toHaveTextContent("the copy is not whole");
    core.failing = {};
    await user.click(copies.getByRole("button", { name: /^Put back the copy of/ }));
    await settle();
    expect(core.calledWith("put_back")[1]).toEqual({
      folder: "/home/ada/Countersign backups/2026-11-22 13.26.48",
    });
    expect(heading()).toContain("d.okafor@northwind");
  });

  it("joining a company with an invite sends code and name, and shows the refusal at its field", async () => {
    const { core, user } = await open({ phase: { kind: "first_run" }, empty: true });
    await user.click(screen.getByRole("button", { name: /Connect to a company/ }));
    await user.click(screen.getByLabelText("I was invited"));
    await user.type(screen.getByLabelText("Company address"), "https://countersign.example.com");
    await user.type(screen.getByLabelText("Invite code"), "K7QD");
    await user.type(screen.getByLabelText("Your name"), "Ben");
    await user.type(screen.getByLabelText("E-mail"), "ben@example.com");
    await user.type(screen.getByLabelText("Choose a password"), "wrong");
    await user.click(screen.getByRole("button", { name: "Join" }));
    await settle();
    expect(core.calledWith("connect_company")[0]).toMatchObject({
      form: { invite: { code: "K7QD", name: "Ben" } },
    });
    expect(screen.getByLabelText("Choose a password")).toHaveAccessibleDescription(
      /Nothing was changed/,
    );
    expect(
      screen.getByLabelText("Choose a password"),
      "a refused password is not kept",
    ).toHaveValue("");
    expect(await a11y()).toEqual([]);
  });

  it("a keychain that has lost its entry says what is lost with it, and begins anew", async () => {
    const { core, user } = await open({
      phase: { kind: "keychain", message: "The keychain has no entry.", lost: 2 },
    });
    await user.click(screen.getByRole("button", { name: "Begin anew" }));
    await settle();
    const dialog = within(screen.getByRole("dialog", { name: "Begin anew on this computer?" }));
    expect(
      dialog.getByText(/2 decisions or other records saved here and never sent are lost/),
    ).toBeVisible();
    expect(core.calledWith("begin_anew")).toHaveLength(0);
    expect(await a11y()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Begin anew" }));
    await settle();
    expect(core.calledWith("begin_anew")).toHaveLength(1);
    expect(screen.queryByRole("dialog")).toBeNull();
    expect(screen.getByRole("button", { name: /^On this computer/ })).toBeVisible();
  });

  it("a keychain that stays locked keeps its screen, says so again, and opens nothing", async () => {
    const { core, user } = await open({
      phase: { kind: "keychain", message: "The keychain is locked.", lost: null },
      failing: { try_again: error("keychain", "The keychain is still locked.") },
    });
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await settle();
    expect(screen.getByRole("alert")).toHaveTextContent("The keychain is still locked.");
    expect(screen.queryByRole("button", { name: "Begin anew" }), "it is not lost").toBeNull();
    expect(core.calledWith("inbox")).toHaveLength(0);
    core.failing = {};
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await settle();
    expect(screen.getByRole("listbox")).toBeVisible();
  });

  it("signing in again keeps address and e-mail as they were", async () => {
    const { core, user } = await open({
      phase: { kind: "sign_in", tenantUrl: "https://a.example", email: "ada@example.com" },
    });
    await user.type(screen.getByLabelText("Password"), "right{Enter}");
    await settle();
    expect(core.calledWith("connect_company")[0]).toEqual({
      form: { url: "https://a.example", email: "ada@example.com", password: "right", invite: null },
    });
  });

  it("a company with a provider signs in through the browser, which can be left", async () => {
    const { core, user } = await open({
      phase: { kind: "first_run" },
      provider: "Acme ID",
      empty: true,
    });
    await user.click(screen.getByRole("button", { name: /Connect to a company/ }));
    expect(screen.queryByRole("button", { name: /^Sign in with/ }), "no address yet").toBeNull();
    await user.type(screen.getByLabelText("Company address"), "https://a.example");
    await user.tab();
    await settle();
    const button = screen.getByRole("button", { name: "Sign in with Acme ID" });
    expect(button).toHaveAccessibleDescription(/replaces your password/);
    expect(await a11y()).toEqual([]);
    await user.click(button);
    await settle();
    expect(core.calledWith("connect_by_provider")[0]).toEqual({
      form: { url: "https://a.example", email: null, code: null },
    });
    expect(screen.getByText("Continue in your browser…")).toBeVisible();
    expect(screen.getByLabelText("Password"), "one thing at a time").not.toBeVisible();
    expect(await a11y()).toEqual([]);

    await user.click(screen.getByRole("button", { name: "Cancel" }));
    await settle();
    expect(core.calledWith("leave_browser")).toHaveLength(1);
    expect(screen.queryByRole("alert"), "leaving is no failure").toBeNull();
    expect(screen.getByLabelText("Company address")).toHaveValue("https://a.example");

    await user.click(screen.getByRole("button", { name: "Sign in with Acme ID" }));
    await settle();
    core.browserSays(error("refused", "You are not a member here; ask to be invited."));
    await settle();
    expect(screen.getByRole("alert")).toHaveTextContent("You are not a member here");

    await user.click(screen.getByRole("button", { name: "Sign in with Acme ID" }));
    await settle();
    core.browserSays();
    await settle();
    expect(screen.queryByText("Continue in your browser…")).toBeNull();
    expect(screen.queryByRole("heading", { name: "Connect to a company" })).toBeNull();
  });

  it("signing in again by the provider says whom it waits for, and an invite's code goes along", async () => {
    const again = await open({
      phase: { kind: "sign_in", tenantUrl: "https://a.example", email: "ada@example.com" },
      provider: "Acme ID",
    });
    await again.user.click(screen.getByRole("button", { name: "Sign in with Acme ID" }));
    await settle();
    expect(again.core.calledWith("connect_by_provider")[0]).toEqual({
      form: { url: "https://a.example", email: "ada@example.com", code: null },
    });
    cleanup();

    const invited = await open({ phase: { kind: "first_run" }, provider: "Acme ID", empty: true });
    await invited.user.click(screen.getByRole("button", { name: /Connect to a company/ }));
    await invited.user.click(screen.getByLabelText("I was invited"));
    await invited.user.type(screen.getByLabelText("Company address"), "https://a.example");
    await invited.user.type(screen.getByLabelText("Invite code"), " K7QD ");
    await settle();
    await invited.user.click(screen.getByRole("button", { name: "Sign in with Acme ID" }));
    await settle();
    expect(invited.core.calledWith("connect_by_provider")[0]).toEqual({
      form: { url: "https://a.example", email: null, code: "K7QD" },
    });
    await invited.user.click(screen.getByRole("button", { name: "Back" }));
    await settle();
    expect(
      invited.core.calledWith("leave_browser"),
      "nobody waits behind a page that is gone",
    ).toHaveLength(1);
  });

  it("a company without a provider, or one that does not answer, asks for the password", async () => {
    const { user } = await open({
      phase: { kind: "first_run" },
      failing: { provider_name: error("offline", "This needs the tenant.") },
      empty: true,
    });
    await user.click(screen.getByRole("button", { name: /Connect to a company/ }));
    await user.type(screen.getByLabelText("Company address"), "https://a.example");
    await user.tab();
    await settle();
    expect(screen.queryByRole("button", { name: /^Sign in with/ })).toBeNull();
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.getByLabelText("Password")).toBeVisible();
  });

  it("somebody else can sign in where the session of another has ended", async () => {
    const { core, user } = await open({
      phase: { kind: "sign_in", tenantUrl: "https://a.example", email: "ada@example.com" },
    });
    await user.click(screen.getByRole("button", { name: "Use another account" }));
    await settle();
    expect(core.calledWith("sign_out")).toHaveLength(1);
    expect(screen.getByRole("button", { name: /^Connect to a company/ })).toBeVisible();
  });

  it("a device that waits to be confirmed says so, with its code and who can confirm it", async () => {
    const { core, user } = await open({ company: true, waits: { who: ["Ben", "Dora"] } });
    expect(screen.getByText("482 913")).toBeVisible();
    expect(screen.getByText(/^Tell it to Ben or Dora/)).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Read the inbox meanwhile" }));
    expect(screen.getByRole("listbox")).toBeVisible();
    expect(screen.getByText(/This device waits to be confirmed/)).toBeVisible();
    core.state.deviceWaits = null;
    core.emit({ kind: "state_changed" });
    await settle();
    expect(screen.queryByText(/This device waits to be confirmed/)).toBeNull();
  });

  it("a device that waits shows the log's key that it trusts, to be compared and copied", async () => {
    const { core, user } = await open({ company: true, waits: { own: ["Studio"] } });
    const key = core.state.tenant?.logKey ?? "";
    const copied = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
    expect(screen.getByText(/trusts the tenant's journal by its key/)).toBeVisible();
    expect(screen.getByText(key)).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Copy the log's key" }));
    await settle();
    expect(copied).toHaveBeenCalledWith(key);
    expect(screen.getByRole("button", { name: "Copy the log's key" })).toHaveTextContent("Copied");
  });

  it("another desktop of the same person says that it asks, and leads to it", async () => {
    const { core, user } = await open({ company: true });
    core.state.devicesToConfirm = ["Travel laptop"];
    core.emit({ kind: "state_changed" });
    await settle();
    expect(screen.getByText(/Travel laptop asks to sign in your name/)).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Look at it" }));
    await settle();
    expect(screen.getByRole("heading", { name: "People & devices" })).toBeVisible();
    expect(await a11y()).toEqual([]);
  });

  it("a device that was taken out of service says so above every page", async () => {
    const { core } = await open({ company: true });
    core.state.deviceRevoked = true;
    core.emit({ kind: "state_changed" });
    await settle();
    expect(screen.getByRole("alert")).toHaveTextContent("This device was taken out of service.");
  });

  it("a device that nobody else may confirm says what to do", async () => {
    await open({ company: true, waits: {} });
    expect(screen.getByText(/invite a second owner or admin/)).toBeVisible();
    expect(screen.queryByText("482 913")).toBeNull();
    expect(await a11y()).toEqual([]);
  });

  it("what cannot open says why, where the log is, and opens once nothing is in the way", async () => {
    const { core, user } = await open({
      phase: { kind: "fatal", message: "The disk is full." },
      failing: { try_again: error("internal", "The disk is still full.") },
    });
    expect(screen.getByRole("alert")).toHaveTextContent("The disk is full.");
    expect(screen.getByText(/countersign\.log$/)).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await settle();
    expect(screen.getByRole("alert")).toHaveTextContent("The disk is still full.");
    core.failing = {};
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await settle();
    expect(screen.getByRole("listbox")).toBeVisible();
  });

  it.each<[string, Scenario]>([
    ["a first run", { phase: { kind: "first_run" }, empty: true }],
    ["a keychain that is locked", { phase: { kind: "keychain", message: "Locked.", lost: 2 } }],
    ["what cannot open", { phase: { kind: "fatal", message: "The disk is full." } }],
    ["signing in", { phase: { kind: "sign_in", tenantUrl: "https://a.example", email: "a@b.c" } }],
    ["a device that waits", { company: true, waits: { who: ["Ben"] } }],
  ])("%s has a way to end the app", async (_, scenario) => {
    const { core, user } = await open(scenario);
    await user.click(screen.getByRole("button", { name: "Quit" }));
    expect(core.calledWith("quit")).toHaveLength(1);
  });
});

describe("a new request", () => {
  it("shows while it is typed what it would propose, then proposes exactly that text", async () => {
    const { core, user } = await open();
    await user.keyboard("n");
    await settle();
    expect(screen.getByRole("textbox", { name: "Request" })).toHaveFocus();
    await user.keyboard("create task: Buy stamps");
    await settle();
    const dialog = within(screen.getByRole("dialog"));
    expect(dialog.getByRole("heading", { name: "Create the task “Buy stamps”" })).toBeVisible();
    expect(dialog.getByText("Needs approval.")).toBeVisible();
    expect(await a11y()).toEqual([]);
    await user.keyboard("{Enter}");
    await settle();
    expect(core.calledWith("submit_request")).toEqual([
      { text: "create task: Buy stamps", notBefore: "" },
    ]);
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("helps when nothing matches, and proposes nothing", async () => {
    const { core, user } = await open();
    await user.keyboard("n");
    await settle();
    await user.keyboard("please do something{Enter}");
    await settle();
    expect(screen.getByText(/not a form that is understood/)).toBeVisible();
    expect(core.calledWith("submit_request")).toHaveLength(0);
  });
});

describe("connections", () => {
  it("are added with what was typed, and a bad field is told at the field", async () => {
    const { core, user } = await open();
    await user.keyboard("gc");
    await settle();
    await user.click(screen.getByRole("button", { name: "Add a connection" }));
    await settle();
    await user.type(screen.getByLabelText("Name"), "Mail");
    await user.type(screen.getByLabelText("Server"), "127.0.0.1");
    await user.selectOptions(screen.getByLabelText("Encryption"), "none");
    expect(screen.getByLabelText("Port"), "the usual port follows").toHaveValue(25);
    await user.type(screen.getByLabelText("Sender address"), "a@example.com");
    await user.click(screen.getByRole("button", { name: "Add" }));
    await settle();
    expect(screen.getByLabelText("Encryption")).toHaveAccessibleDescription(
      /only a server on this computer/,
    );
    expect(await a11y()).toEqual([]);
    await user.selectOptions(screen.getByLabelText("Encryption"), "starttls");
    await user.click(screen.getByRole("button", { name: "Add" }));
    await settle();
    expect(core.calledWith("add_connection")[1]).toEqual({
      form: {
        kind: "smtp",
        name: "Mail",
        host: "127.0.0.1",
        port: 587,
        tls: "starttls",
        username: "",
        password: "",
        from: "a@example.com",
      },
    });
    expect(screen.getByText("127.0.0.1:587")).toBeVisible();
  });

  it("can be tested by their holder only, and are removed after one question", async () => {
    const { core, user } = await open();
    await user.keyboard("gc");
    await settle();
    expect(screen.queryByRole("button", { name: "Test Order system" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "Test Company mail" }));
    await settle();
    expect(screen.getByText(/Nothing was sent/, { selector: "p" })).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Remove Company mail" }));
    await settle();
    expect(screen.getByText(/2 open proposals over it will never run/)).toBeVisible();
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Remove" }));
    await settle();
    expect(core.calledWith("remove_connection")).toEqual([{ id: "c1" }]);
  });
});

describe("people and devices", () => {
  it("shows the name alone of whoever has given no address", async () => {
    const { core, user } = await open();
    const ada = core.people.people.members.find((member) => member.you);
    Object.assign(ada ?? {}, { email: null });
    core.state.person = { name: "Ada Byron", email: null };
    core.emit({ kind: "state_changed" });
    await user.keyboard("gd");
    await settle();
    expect(screen.queryByText(/@byron-partners/)).toBeNull();
    await user.keyboard("gs");
    await settle();
    expect(screen.getByText(/^Owner of/)).toBeVisible();
  });

  it("warns before a solo tenant becomes a company, and shows the code once", async () => {
    const { user } = await open();
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: "Invite" }));
    await settle();
    expect(screen.getByText(/It cannot be turned back/)).toBeVisible();
    await user.type(screen.getByLabelText("E-mail"), "ben@example.com{Enter}");
    await settle();
    expect(screen.getByText("K7QD-M2XW-9RTF")).toBeVisible();
    expect(await a11y()).toEqual([]);
  });

  it("revokes a device with the reason that was typed", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: "Revoke Front desk" }));
    await settle();
    await user.type(screen.getByLabelText("Reason"), "lost");
    expect(screen.getByText(/has not run yet needs another approval/)).toBeVisible();
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Revoke" }));
    await settle();
    const form = { reason: "lost", compromisedSince: null, decisionsStand: false };
    expect(core.calledWith("revoke_device")).toEqual([{ id: "d2", form }]);
  });

  it("revokes a device from the time on at which it was stolen, and not without the time", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: "Revoke Front desk" }));
    await settle();
    const dialog = within(screen.getByRole("dialog"));
    await user.type(screen.getByLabelText("Reason"), "stolen");
    await user.click(dialog.getByRole("radio", { name: "No" }));
    expect(screen.getByText(/What it approved still runs/)).toBeVisible();
    await user.click(dialog.getByRole("radio", { name: "From a time on" }));
    await user.click(dialog.getByRole("button", { name: "Revoke" }));
    expect(core.calledWith("revoke_device")).toEqual([]);
    await fireEvent.input(screen.getByLabelText("Since"), {
      target: { value: "2026-05-11T08:30" },
    });
    expect(await a11y()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Revoke" }));
    await settle();
    const since = new Date("2026-05-11T08:30").toISOString();
    const form = { reason: "stolen", compromisedSince: since, decisionsStand: false };
    expect(core.calledWith("revoke_device")).toEqual([{ id: "d2", form }]);
  });

  it("lists what ran on the word of a revoked device, and opens it", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: "What ran on Old laptop" }));
    await settle();
    expect(screen.getByText(/in other hands since/)).toBeVisible();
    expect(screen.getByText("Send the May invoice to Acme")).toBeVisible();
    expect(await a11y()).toEqual([]);
    expect(screen.getByText("Let in Tablet of Ada Lovelace, which is in service")).toBeVisible();
    await user.click(screen.getAllByRole("button", { name: "Open" })[0]!);
    await settle();
    expect(screen.queryByRole("dialog")).toBeNull();
    expect(core.calledWith("card").at(-1)).toEqual({ id: "p9" });
  });

  it("takes trust away from a device that is out of service, and never gives it back", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: "Trust less of Old laptop" }));
    await settle();
    const dialog = within(screen.getByRole("dialog"));
    expect(dialog.queryByRole("radio", { name: "No" })).toBeNull();
    await user.type(dialog.getByLabelText("Reason"), "sold with its disk");
    await user.click(dialog.getByRole("button", { name: "Trust less" }));
    await settle();
    const form = { reason: "sold with its disk", compromisedSince: null, decisionsStand: false };
    expect(core.calledWith("revoke_device").at(-1)).toMatchObject({ form });
  });

  it("gives this device a new key once that is confirmed", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: "New key" }));
    await settle();
    expect(core.calledWith("rotate_key")).toEqual([]);
    const dialog = within(screen.getByRole("dialog"));
    await user.click(dialog.getByRole("button", { name: "New key" }));
    await settle();
    expect(core.calledWith("rotate_key")).toHaveLength(1);
  });

  it("confirms a waiting device by the code that its person tells, and by no other", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    expect(screen.queryByRole("button", { name: "Confirm Studio" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "Confirm Travel laptop" }));
    await settle();
    const dialog = within(screen.getByRole("dialog"));
    expect(await a11y()).toEqual([]);
    await user.type(dialog.getByLabelText("Code"), "000 000");
    await user.click(dialog.getByRole("button", { name: "Confirm" }));
    await settle();
    expect(dialog.getByRole("alert")).toHaveTextContent("That is not the code");
    await user.clear(dialog.getByLabelText("Code"));
    await user.type(dialog.getByLabelText("Code"), "482 913");
    await user.click(dialog.getByRole("button", { name: "Confirm" }));
    await settle();
    expect(core.calledWith("endorse_device").at(-1)).toEqual({ id: "d4", code: "482913" });
    expect(screen.queryByRole("button", { name: "Confirm Travel laptop" })).toBeNull();
  });

  it("asks whether a waiting device of one's own is one's own", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: "Confirm Telephone" }));
    await settle();
    const dialog = within(screen.getByRole("dialog", { name: "Is Telephone yours?" }));
    await user.type(dialog.getByLabelText("Code"), "482913");
    await user.click(dialog.getByRole("button", { name: "It is mine" }));
    await settle();
    expect(core.calledWith("endorse_device")).toEqual([{ id: "d5", code: "482913" }]);
  });

  it("takes an open invitation back after one question", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: /^Withdraw the invitation/ }));
    await settle();
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Withdraw" }));
    await settle();
    expect(core.calledWith("withdraw_invite")).toEqual([{ id: "i1" }]);
    expect(screen.queryByText("dora@byron-partners.com")).toBeNull();
  });

  it("puts a role back when the core refuses to change it", async () => {
    const { core, user } = await open({ company: true });
    core.failing.change_role = error("refused", "The last admin stays admin.");
    await user.keyboard("gd");
    await settle();
    await user.selectOptions(screen.getByLabelText("Role of Ben Achterberg"), "member");
    await settle();
    expect(screen.getByLabelText("Role of Ben Achterberg")).toHaveValue("approver");
  });

  it("makes an agent that acts for whoever connects it, and says for whom one acts", async () => {
    const { core, user } = await open({ company: true });
    await user.keyboard("gd");
    await settle();
    expect(screen.getByText(/Acts for Ada Lovelace/)).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Connect an agent" }));
    await settle();
    await user.click(screen.getByRole("checkbox", { name: /It acts for me/ }));
    await user.type(screen.getByLabelText("Name"), "Invoices{Enter}");
    await settle();
    expect(core.calledWith("create_agent")).toEqual([{ name: "Invoices", personal: true }]);
  });

  it("shows a new agent's key with its command line", async () => {
    const { user } = await open();
    await user.keyboard("gd");
    await settle();
    await user.click(screen.getByRole("button", { name: "Connect an agent" }));
    await settle();
    await user.type(screen.getByLabelText("Name"), "Invoices{Enter}");
    await settle();
    expect(screen.getByRole("dialog", { name: "Invoices can propose now" })).toBeVisible();
    expect(await a11y()).toEqual([]);
  });
});

describe("settings", () => {
  it("copies the tenant of this computer, and says where the copy is; a company's is not copied from here", async () => {
    const { core, user } = await open();
    await user.keyboard("gs");
    await settle();
    await user.click(screen.getByRole("button", { name: "Back up now" }));
    await settle();
    expect(core.calledWith("back_up")).toHaveLength(1);
    expect(screen.getByText(/1,284 entries copied and checked/)).toHaveTextContent(
      "/home/ada/Countersign backups/2026-11-23 07.55.12",
    );
    expect(await a11y()).toEqual([]);
    cleanup();
    await open({ company: true });
    await user.keyboard("gs");
    await settle();
    expect(screen.queryByRole("button", { name: "Back up now" })).toBeNull();
  });

  it("save the journal where a person wants it, say how far it is, where it is and how it is checked", async () => {
    const { core, user } = await open();
    await user.keyboard("gs");
    await settle();
    await user.click(screen.getByRole("button", { name: "Save the journal…" }));
    expect(core.calledWith("save_journal")).toEqual([{ copy: "whole" }]);
    await pass(600);
    expect(screen.getByText(/3.1 MB so far/)).toBeVisible();
    expect(screen.getByRole("button", { name: "Saving" })).toHaveAttribute("aria-disabled", "true");
    await user.keyboard("gi");
    await settle();
    await user.keyboard("gs");
    await settle();
    expect(screen.getByText(/3.1 MB so far/)).toBeVisible();
    core.journalCame("/home/ada/journal-2026-11-23.bundle");
    await settle();
    expect(screen.getByText(/1,284 entries, 12.4 MB, saved/)).toHaveTextContent(
      "/home/ada/journal-2026-11-23.bundle",
    );
    expect(
      screen.getByText("countersign-verify /home/ada/journal-2026-11-23.bundle --trust 5f1a"),
    ).toBeVisible();
    expect(screen.getByRole("button", { name: "Copy the command that checks it" })).toBeVisible();
    expect(await a11y()).toEqual([]);
  });

  it("save a table with the keyboard alone, and tell nobody to check it", async () => {
    const { core, user } = await open();
    await user.keyboard("gs");
    await settle();
    screen.getByRole("radio", { name: "Whole" }).focus();
    await user.keyboard("{ArrowRight}{ArrowRight}");
    expect(screen.getByText(/proves nothing/)).toBeVisible();
    screen.getByRole("button", { name: "Save the journal…" }).focus();
    await user.keyboard("{Enter}");
    expect(core.calledWith("save_journal")).toEqual([{ copy: "table" }]);
    core.journalCame("/home/ada/journal.csv");
    await settle();
    expect(screen.getByText("/home/ada/journal.csv")).toBeVisible();
    expect(screen.queryByText(/countersign-verify/)).toBeNull();
  });

  it("save no journal that somebody has stopped, or that broke off, and can be asked again", async () => {
    const { core, user } = await open();
    await user.keyboard("gs");
    await settle();
    await user.click(screen.getByRole("button", { name: "Save the journal…" }));
    await pass(600);
    await user.click(screen.getByRole("button", { name: "Stop saving" }));
    await settle();
    expect(core.calledWith("stop_saving")).toHaveLength(1);
    expect(screen.queryByText(/saved:/)).toBeNull();
    core.failing = { save_journal: error("offline", "The connection broke off.") };
    await user.click(screen.getByRole("button", { name: "Save the journal…" }));
    await settle();
    expect(screen.getByRole("alert")).toHaveTextContent("The connection broke off.");
    expect(await a11y()).toEqual([]);
  });

  it("say who takes the journal away where this person does not", async () => {
    const { core, user } = await open({ company: true });
    const why = "Owners, admins and auditors take the journal away.";
    core.state.journal.save = { allowed: false, why };
    core.emit({ kind: "state_changed" });
    await user.keyboard("gs");
    await pass(500);
    expect(screen.getByText(why)).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Save the journal…" }));
    expect(core.calledWith("save_journal")).toEqual([]);
  });

  it("keep the look, pause notifications and verify the journal", async () => {
    const { core, user } = await open();
    await user.keyboard("gs");
    await settle();
    await user.click(screen.getByLabelText("Dark"));
    expect(document.documentElement.dataset.theme).toBe("dark");
    await user.click(screen.getByRole("switch", { name: "Pause notifications" }));
    await settle();
    expect(core.calledWith("set_notifications_paused")).toEqual([{ paused: true }]);
    expect(screen.getByRole("switch", { name: "Pause notifications" })).toBeChecked();
    await user.click(screen.getByRole("button", { name: "Verify from the first entry" }));
    await settle();
    expect(screen.getByText(/All 1,284 entries/, { selector: "p" })).toBeVisible();
  });
});

describe("what the core says about itself", () => {
  it("stands above every page while it is so", async () => {
    const { core } = await open();
    core.state.trouble = "Syncing with the tenant does not work; it is tried again.";
    core.emit({ kind: "state_changed" });
    await settle();
    expect(screen.getByText(/it is tried again/)).toBeVisible();
    expect(await a11y()).toEqual([]);
  });

  it("has a way to end the app, for where there is no tray", async () => {
    const { core, user } = await open();
    await user.keyboard("gs");
    await settle();
    await user.click(screen.getByRole("button", { name: "Quit" }));
    expect(core.calledWith("quit")).toHaveLength(1);
  });
});

describe("overlays", () => {
  it("the palette finds an action by name and runs it", async () => {
    const { user } = await open();
    await user.keyboard("{Control>}k{/Control}");
    await settle();
    expect(await a11y()).toEqual([]);
    await user.keyboard("conn{Enter}");
    await settle();
    expect(screen.getByRole("heading", { name: "Connections", level: 1 })).toBeVisible();
  });

  it("the sheet lists the keys", async () => {
    const { user } = await open();
    await user.keyboard("{Shift>}?{/Shift}");
    await settle();
    expect(within(screen.getByRole("dialog", { name: "Keys" })).getByText("Approve")).toBeVisible();
    expect(await a11y()).toEqual([]);
  });
});

describe("every page passes axe", () => {
  it.each([["gt"], ["gc"], ["gd"], ["gs"]])("after %s", async (path) => {
    const { user } = await open({ company: true });
    await user.keyboard(path);
    await settle();
    expect(screen.getByRole("heading", { level: 1 })).toBeVisible();
    expect(await a11y()).toEqual([]);
  });
});

describe("the emergency stop", () => {
  it("is made in two steps, stands above every page, and is released with a typed word", async () => {
    const { core, user } = await open();
    await user.keyboard("gs");
    await settle();
    await user.click(screen.getByRole("button", { name: "Stop" }));
    await settle();
    await user.type(screen.getByLabelText("Why (optional)"), "Mails go to everybody");
    await user.click(screen.getByRole("button", { name: "Stop now" }));
    await settle();
    expect(core.calledWith("stop")).toEqual([
      { scope: { kind: "tenant" }, reason: "Mails go to everybody" },
    ]);
    await user.keyboard("gi");
    await settle();
    expect(screen.getByText("Everything: stopped.")).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Release" }));
    await settle();
    const dialog = screen.getByRole("dialog");
    await user.click(within(dialog).getByRole("button", { name: "Release" }));
    await settle();
    expect(dialog).toHaveTextContent("Type “release” to confirm it.");
    await user.type(screen.getByLabelText("Type “release” to release it"), "release");
    await user.click(within(dialog).getByRole("button", { name: "Release" }));
    await settle();
    expect(screen.queryByText("Everything: stopped.")).toBeNull();
  });
});
