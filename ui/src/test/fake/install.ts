/* Puts a fake core behind the real bindings: the same bridge, the same events. */
import { emit } from "@tauri-apps/api/event";
import { mockIPC, mockWindows } from "@tauri-apps/api/mocks";
import { FakeCore, type Scenario } from "./core";

export function installFake(scenario: Scenario = {}): FakeCore {
  const core = new FakeCore(scenario);
  mockWindows("main");
  mockIPC((command, args) => core.answer(command, (args ?? {}) as Record<string, unknown>), {
    shouldMockEvents: true,
  });
  core.emit = (event) => void emit("engine-event", event);
  return core;
}
