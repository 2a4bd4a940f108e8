// Which addresses a webhook may have, how its messages are signed, and when they are tried again.
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { checkWebhookUrl, webhookHeaders, webhookRetryMs, webhookSecret, whyNotPublic } from "./webhook-rules.ts";

describe("an address", () => {
  it.each(["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"])("%s is public", (address) => {
    expect(whyNotPublic(address)).toBeUndefined();
  });

  it.each([
    ["0.0.0.0", "unspecified"],
    ["10.255.255.255", "private"],
    ["100.64.0.1", "carrier"],
    ["100.100.100.200", "carrier"],
    ["127.8.9.10", "loopback"],
    ["168.63.129.16", "cloud platform"],
    ["169.254.169.254", "link-local"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.0.0.192", "special"],
    ["192.0.2.1", "special"],
    ["192.168.1.1", "private"],
    ["198.18.0.1", "special"],
    ["224.0.0.1", "multicast"],
    ["240.0.0.1", "special"],
    ["255.255.255.255", "broadcast"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["::ffff:8.8.8.8", "IPv4-mapped"],
    ["::ffff:127.0.0.1", "IPv4-mapped"],
    ["64:ff9b::a00:1", "special"],
    ["2001:db8::1", "special"],
    ["2002:7f00:1::", "special"],
    ["fc00::1", "unique local"],
    ["fd00:ec2::254", "unique local"],
    ["fe80::1%eth0", "link-local"],
    ["fec0::1", "special"],
    ["ff02::1", "multicast"],
    ["not an address", "not an IP address"],
  ])("%s is not: %s", (address, why) => {
    expect(whyNotPublic(address)).toContain(why);
  });
});

describe("the URL of a webhook", () => {
  const strict = { allowPrivate: false };

  it.each([
    ["https://hooks.example.com/a?b=c#d", "https://hooks.example.com/a?b=c"],
    ["https://hooks.example.com:443/", "https://hooks.example.com/"],
    ["https://hooks.example.com:8443/x", "https://hooks.example.com:8443/x"],
    ["https://8.8.8.8/x", "https://8.8.8.8/x"],
  ])("%s is taken as %s", (text, url) => {
    expect(checkWebhookUrl(text, strict)).toBe(url);
  });

  it.each([
    ["hooks.example.com", "is not a URL"],
    ["http://hooks.example.com/", "allowed is https://"],
    ["ftp://hooks.example.com/", "allowed is https://"],
    ["https://user:password@hooks.example.com/", "user name or password"],
    ["https://hooks.example.com:22/", "the port is 22"],
    ["https://127.0.0.1/", "loopback"],
    ["https://0x7f.1/", "loopback"],
    ["https://2130706433/", "loopback"],
    ["https://[::1]/", "loopback"],
    ["https://[::ffff:8.8.8.8]/", "IPv4-mapped"],
    ["https://localhost/", "local network"],
    ["https://printer.local./", "local network"],
    [`https://hooks.example.com/${"x".repeat(2048)}`, "at most 2048"],
  ])("%s is refused, with the header's name: %s", (text, why) => {
    expect(() => checkWebhookUrl(text, strict)).toThrow(
      expect.objectContaining({ reason: "invalid-argument", message: expect.stringMatching(/^sortie-webhook: /) }),
    );
    expect(() => checkWebhookUrl(text, strict)).toThrow(why);
  });

  it("may be in clear text and private for development only", () => {
    expect(checkWebhookUrl("http://127.0.0.1:80/", { allowPrivate: true })).toBe("http://127.0.0.1/");
    expect(() => checkWebhookUrl("file:///etc/passwd", { allowPrivate: true })).toThrow("https://");
  });
});

describe("a signature", () => {
  const now = Math.floor(Date.now() / 1000);
  const body = '{"type":"Job Completed"}';

  it("is verified by a library of Standard Webhooks, with the tenant's own secret only", () => {
    const headers = webhookHeaders(webhookSecret("master", "alice"), "id-1", now, body);
    expect(new Webhook(webhookSecret("master", "alice")).verify(body, headers)).toEqual(JSON.parse(body));
    for (const secret of [webhookSecret("master", "bob"), webhookSecret("other", "alice")]) {
      expect(() => new Webhook(secret).verify(body, headers)).toThrow();
    }
    expect(() => new Webhook(webhookSecret("master", "alice")).verify(`${body} `, headers)).toThrow();
  });

  it("is what that library makes itself", () => {
    const secret = webhookSecret("master", "alice");
    const theirs = new Webhook(secret).sign("id-1", new Date(now * 1000), body);
    expect(webhookHeaders(secret, "id-1", now, body)["webhook-signature"]).toBe(theirs);
  });
});

describe("the pauses between tries", () => {
  it("grow to an hour, and never less than three quarters of it", () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 30].map((failures) => webhookRetryMs(failures, 1) / 1000);
    expect(longest).toEqual([5, 20, 80, 320, 1280, 3600, 3600, 3600]);
    expect(webhookRetryMs(1, 0)).toBe(3750);
  });
});
