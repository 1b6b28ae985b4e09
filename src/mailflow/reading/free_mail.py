"""Domains where anybody may have an address: they prove a person at best, never a company (A1)."""

import re

_DOMAINS = frozenset(
    """
    gmail.com outlook.com outlook.de outlook.fr outlook.es outlook.it outlook.jp outlook.com.br outlook.com.au
    outlook.in outlook.be outlook.pt outlook.dk outlook.ie outlook.sa live.com live.co.uk live.de live.fr live.nl
    live.it live.be live.ca live.se live.no live.dk live.com.au live.com.mx live.com.pt live.cn live.in msn.com
    passport.com windowslive.com myyahoo.com aim.com icloud.com me.com mac.com privaterelay.appleid.com proton.me
    pm.me tutanota.com tutanota.de tutamail.com tuta.io tuta.com keemail.me web.de t-online.de freenet.de arcor.de
    mail.de posteo.de posteo.net mailbox.org mail.com email.com fastmail.com fastmail.fm hushmail.com hey.com
    duck.com mozmail.com passmail.net runbox.com zoho.com zohomail.com zohomail.eu zohomail.in ya.ru mail.ru bk.ru
    inbox.ru list.ru rambler.ru inbox.lv orange.fr wanadoo.fr free.fr laposte.net sfr.fr bbox.fr neuf.fr
    numericable.fr libero.it virgilio.it tiscali.it alice.it tin.it telefonica.net terra.com.br uol.com.br
    bol.com.br ig.com.br globo.com sapo.pt wp.pl o2.pl onet.pl op.pl interia.pl gazeta.pl seznam.cz centrum.cz
    email.cz atlas.cz azet.sk freemail.hu citromail.hu abv.bg mail.bg ukr.net i.ua ziggo.nl kpnmail.nl xs4all.nl
    hetnet.nl planet.nl skynet.be telenet.be bluewin.ch btinternet.com virginmedia.com sky.com talktalk.net
    ntlworld.com blueyonder.co.uk comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net
    earthlink.net juno.com shaw.ca rogers.com sympatico.ca bigpond.com bigpond.net.au optusnet.com.au xtra.co.nz
    qq.com 163.com 126.com yeah.net sina.com sina.cn sohu.com 139.com 189.cn foxmail.com aliyun.com naver.com
    daum.net hanmail.net nate.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp nifty.com rediffmail.com
    """.split()
)
_PROVIDERS = frozenset("aol gmx googlemail hotmail protonmail rocketmail yahoo yandex ymail".split())
"""Names that belong to the provider in every country."""
_SUFFIX = re.compile(r"(?:com?\.|ne\.)?[a-z]{2,3}")


def is_free_mail(domain: str) -> bool:
    """Whether `domain`, in any case of letters, is a provider's."""
    domain = domain.lower()
    name, _, suffix = domain.partition(".")
    return domain in _DOMAINS or (name in _PROVIDERS and bool(_SUFFIX.fullmatch(suffix)))
