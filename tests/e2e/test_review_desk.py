"""The review desk in a real browser, with mail that comes over SMTP: what a specialist does in a day."""

from playwright.sync_api import expect
from tests.browser import browsing
from tests.e2e.browser_desk import PASSWORD, Desk, open_thread, shot, thread_id
from tests.e2e.mailboxes import MailProgram, is_answer_to, text_of, write_mail
from tests.servers import MailServers


def test_a_day_at_the_desk(open_desk: Desk, partner: MailProgram, mail_servers: MailServers) -> None:
    with browsing(open_desk.address) as (sam,):
        page = sam.page
        sam.sign_in("sam", PASSWORD)
        expect(page.locator(".empty")).to_be_visible()
        shot(sam, "queue-empty")

        # the queue fills while it is open
        licence = partner.send(write_mail("How do we get a licence for our lab?", subject="Lab licence"))
        expect(page.locator(".rows li", has_text="Lab licence")).to_be_visible()
        rebate = partner.send(write_mail("Our rebate did not arrive, réclamation!", subject="Rebate of May"))
        riddle = partner.send(write_mail("It is about the thing.", subject="A riddle"))
        expect(page.locator(".rows li")).to_have_count(3)
        shot(sam, "queue")

        # two keys: open, approve; and cancelled within the window
        page.click(".rows a.open:has-text('Lab licence')")
        page.wait_for_url("**/threads/*")
        expect(page.frame_locator("#answer-frame").locator("body")).to_contain_text("Not-For-Resale")
        shot(sam, "thread")
        page.keyboard.press("a")
        expect(page.locator(".flash")).to_contain_text("is on its way")
        page.keyboard.press("z")
        expect(page.locator(".flash")).to_contain_text("not")
        open_thread(sam, "Lab licence")
        expect(page.locator("#head .chips").first).to_contain_text("held")
        assert partner.uids(is_answer_to(licence)) == []

        # corrected and edited, then sent
        page.keyboard.press("c")
        page.select_option("#correct select[name=first]", "nfr_request")
        page.check("#correct input[name=action][value=reply]")
        page.fill("#correct input[name=why]", "they ask how to apply")
        page.click("#correct button.strong")
        expect(page.locator("#understood")).to_contain_text("sam")
        page.keyboard.press("e")
        page.fill("#markdown", "Hello,\n\nthe **lab licence** is on its way.\n")
        page.keyboard.press("Control+Enter")
        page.wait_for_load_state()
        (answer,) = partner.await_mail(is_answer_to(licence))
        assert "the lab licence is on its way" in text_of(answer)
        assert answer["Auto-Submitted"] is None, "a person wrote it"

        # search finds accents, a merge makes one of two
        page.goto(f"{open_desk.address}/queue?box=all&q=reclamation")
        expect(page.locator(".rows li")).to_have_count(1)
        open_thread(sam, "A riddle")
        into = thread_id(open_desk, "Rebate of May")
        page.click("summary:has-text('More')")
        page.fill("input[name=into]", str(into))
        page.click("button:has-text('Merge')")
        page.wait_for_url(f"**/threads/{into}*")
        expect(page.locator("#talk")).to_contain_text("It is about the thing")

        # many at once
        page.goto(f"{open_desk.address}/queue")
        page.check("#all")
        page.select_option("#bulk-action", "assign")
        page.select_option("#bulk-assign", "kim")
        page.click("#bulk button:has-text('Do it')")
        expect(page.locator(".rows li .chips", has_text="kim").first).to_be_visible()

        for name in ("numbers", "training", "account", "outbox", "quarantine"):
            page.goto(f"{open_desk.address}/{name}")
            expect(page.locator("h1")).to_be_visible()
            shot(sam, name)
        page.click("button:has-text('Sign out')")
        page.wait_for_url("**/login*")
        page.goto(f"{open_desk.address}/queue")
        page.wait_for_url("**/login*")
        assert sam.elsewhere() == []
        assert sam.seen.complaints == []
        assert {rebate["Message-ID"], riddle["Message-ID"]}


def test_two_specialists_do_not_answer_twice(open_desk: Desk, partner: MailProgram) -> None:
    question = partner.send(write_mail("How do we get a licence for our lab?", subject="One licence"))
    with browsing(open_desk.address, people=2) as (sam, kim):
        for visitor, name in ((sam, "sam"), (kim, "kim")):
            visitor.sign_in(name, PASSWORD)
            expect(visitor.page.locator(".rows li", has_text="One licence")).to_be_visible()
            open_thread(visitor, "One licence")
            visitor.page.route("**/live*", lambda route: route.abort())  # kim's page does not hear of what sam does
        kim.page.reload()
        expect(kim.page.locator("#present")).to_contain_text("Sam", ignore_case=True)
        sam.page.keyboard.press("a")
        expect(sam.page.locator(".flash")).to_contain_text("is on its way")
        kim.page.click("button:has-text('Approve and send')")
        expect(kim.page.locator("h1")).to_contain_text("has changed")
        shot(kim, "collision")
        partner.await_mail(is_answer_to(question))
        assert len(partner.answers_to(question)) == 1


def test_a_viewer_sees_and_changes_nothing(open_desk: Desk, partner: MailProgram) -> None:
    partner.send(write_mail("How do we get a licence?", subject="For eyes only"))
    with browsing(open_desk.address) as (eve,):
        eve.sign_in("eve", PASSWORD)
        expect(eve.page.locator(".rows li", has_text="For eyes only")).to_be_visible()
        open_thread(eve, "For eyes only")
        expect(eve.page.locator("#understood")).to_be_visible()
        expect(eve.page.locator("button:has-text('Approve')")).to_have_count(0)
        expect(eve.page.locator("#markdown")).to_have_count(0)
