"""What would be a promise in an answer, by language: approval, a price, a date (D3). Tables of regular expressions.

Rule: rather one sentence too many is refused than one promise sent; a template can always be reworded.
"""

import re

APPROVAL = "a promise of eligibility or approval (D3)"
AMOUNT = "an amount, a price or a discount (D3)"
TIME = "a time by which something happens (D3)"

_WORDS = {
    "en": {
        APPROVAL: (
            r"\b(you|your company) (are|is|will be) (eligible|approved|entitled|accepted)\b"
            r"|\b(will|shall) be (approved|granted|accepted|issued|delivered|paid)\b"
            r"|\b(has|have|is|are) been (approved|granted|accepted)\b"
            r"|\bwe (will|can|shall) (approve|grant|issue|pay|refund|deliver)\b"
            r"|\b(guarantee|we promise)"
        ),
        AMOUNT: r"[$€£] ?\d|\b\d+ ?(%|percent\b|usd\b|eur\b)|free of charge|\bno cost\b",
        TIME: r"\bwithin (\d+|one|two|three|a few)\b|soon as possible",
    },
    "de": {
        APPROVAL: (
            r"\b(ist|sind|wird|werden|wurden?) (\w+ ){0,4}(berechtigt|angenommen|akzeptiert|erstattet"
            r"|ausgezahlt|geliefert|ausgestellt|erteilt|gewährt)\b"
            r"|\b(genehmigt|bewilligt|freigegeben|zugelassen|zugesagt|anspruchsberechtigt)\b|\banspruch auf\b"
            r"|\bwir (\w+ ){0,5}(genehmigen|bewilligen|erteilen|gewähren|erstatten|liefern|ausstellen)\b"
            r"|\b(garantier|versprech|versproch|zusicher)\w*"
        ),
        AMOUNT: (
            r"[$€£]\s?\d|\d\s?(%|[$€£]|(prozent|euro|eur|usd|dollar)\b)"
            r"|\b(kostenlos|kostenfrei|gratis|unentgeltlich|umsonst)\w*|\bohne (\w+ )?kosten\b"
        ),
        TIME: (
            r"\b(innerhalb|binnen|umgehend|unverzüglich|sofort|schnellstmöglich|baldmöglichst|demnächst"
            r"|spätestens)\b"
            r"|\bso (bald|schnell|rasch) wie möglich\b|\bin kürze\b"
            r"|\bin (\d+|einem|einer|zwei|drei|wenigen|ein paar)( \w+){0,3} (minuten?|stunden?|(werk"
            r"|arbeits)?tag(en)?|wochen?|monat(en)?)\b"
            r"|\bbis (heute|morgen|montag|dienstag|mittwoch|donnerstag|freitag|ende|zum \d)\b"
        ),
    },
    "fr": {
        APPROVAL: (
            r"\b(êtes|serez|est|sera|sont|seront|été) (\w+ ){0,2}(éligible|admissible|approuvé|accepté|accordé"
            r"|autorisé|remboursé|délivré|livré|versé)e?s?\b"
            r"|\b(avez|aurez|aura|donne|donnera) droit\b"
            r"|\bnous (\w+ ){0,3}(approuv|accord|accept|rembours|délivr|livr|vers)(ons|erons|er)\b"
            r"|\b(garanti|promett|promess)\w*|\bpromis\b"
        ),
        AMOUNT: (
            r"[$€£]\s?\d|\d\s?(%|[$€£]|(pour\s?cent|euros?|eur|usd|dollars?)\b)|\b(gratuit|offert)\w*"
            r"|\bsans (\w+ )?frais\b|\bà titre gracieux\b"
        ),
        TIME: (
            r"\b(sous|dans|en|d[’']ici) (\w+ ){0,3}(\d+|une?|deux|trois|quelques|prochaine?s)( \w+)? (minutes?"
            r"|heures?|jours?|semaines?|mois)\b"
            r"|\b(sous peu|d[’']ici|dès que possible|dans un délai|au plus (vite|tôt|tard)|(meilleurs"
            r"|plus brefs|brefs) délais)\b"
            r"|\b(immédiatement|rapidement|prochainement)\b"
        ),
    },
    "es": {
        APPROVAL: (
            r"\b(es|son|será|serán|está|están|estará|sido|fue|queda|quedará) (\w+ ){0,2}(elegible|apt[oa]"
            r"|(aprob|acept|autoriz|reembols|entreg|otorg|pag)ad[oa]|(conced|emit)id[oa])s?\b"
            r"|\b(tiene|tienen|tendrá|tendrán) derecho\b|\b(aprob|otorg|reembols|entreg|pag)aremos\b"
            r"|\b(conced|emit)[ei]remos\b"
            r"|\b(podemos|vamos a) (aprobar|conceder|otorgar|reembolsar|entregar|emitir|pagar)\b"
            r"|\b(garantiz|garantía|promet|promes)\w*|\baseguramos\b"
        ),
        AMOUNT: (
            r"[$€£]\s?\d|\d\s?(%|[$€£]|(por ciento|euros?|eur|usd|dólares)\b)|\b(gratis|gratuit\w*)\b"
            r"|\bsin (\w+ )?(costos?|costes?|cargo)\b"
        ),
        TIME: (
            r"\ben (menos de |un plazo de |los próximos |las próximas )?(\d+|una?|dos|tres|unos|unas|pocos"
            r"|pocas)( \w+)? (minutos?|horas?|días?|semanas?|mes(es)?)\b"
            r"|\b(en breve|dentro de|en el plazo|en un plazo|cuanto antes|lo antes posible|a la mayor brevedad"
            r"|de inmediato|a más tardar|inmediatamente|próximamente)\b"
            r"|\bantes del? (\d|lunes|martes|miércoles|jueves|viernes|fin)"
        ),
    },
    "pt": {
        APPROVAL: (
            r"\b(é|está|são|estão|foi|foram|será|serão)\s+((automaticamente|já)\s+)?"
            r"(elegíve(l|is)|apt[oa]s?|qualificad[oa]s?|habilitad[oa]s?|aprovad[oa]s?|autorizad[oa]s?|aceit[oa]s?|conced\w+"
            r"|emitid[oa]s?|entregues?|pag[oa]s?|reembolsad[oa]s?)\b"
            r"|\b(tem|têm|terá|terão)\s+direito\b"
            r"|\b(vamos|iremos|podemos)\s+(aprovar|conceder|emitir|pagar|reembolsar|entregar|liberar)\b"
            r"|\bgarant(imos|ia|id[oa]s?|e|em)\b|\bprome(temos|te|tid[oa]s?)\b"
        ),
        AMOUNT: (
            r"(R\$|US\$|[$€£])\s?\d|\b\d+([.,]\d+)?\s?(%|por cento|reais|dólares|euros|usd\b|eur\b|brl\b)"
            r"|\bgrat(uit[oa]s?|uitamente|is)\b|\bgrátis\b|\bsem (nenhum )?custos?\b"
        ),
        TIME: (
            r"\b(dentro de|em até|no prazo de|em)\s+(\d+|uma?|dois|duas|três|poucos|poucas|alguns|algumas)\s*"
            r"(horas?|dias?|semanas?|meses|mês)\b|\bassim que possível\b"
            r"|\bo (mais rápido|quanto antes)\b|\bimediatamente\b"
        ),
    },
    "ja": {
        APPROVAL: (
            r"(承認|許可|認可|受理|発行|付与|納品|支給|返金|支払い)(いた)?(します|しました|されます|されました|されています|できます|済み)"
            r"|認められ(ます|ました|ています)|(資格|権利)が(あります|ございます)|(要件|条件)を満たして(います|おります)"
            r"|保証(いた)?します|お?約束(いた)?します"
        ),
        AMOUNT: r"[¥￥$€£]\s?[0-9０-９]|[0-9０-９]\s?[万千億]?\s?(円|ドル|ユーロ|%|％|割引)|無料|無償",
        TIME: (
            r"([0-9０-９一二三四五六七八九十数]+\s?(営業日|日間?|時間|週間|[かヶカケ]月|分))\s?(以内|後に|程度で|で|まで)|以内に"
            r"|(本日|明日|今週|来週|今月|来月)(中|まで)|速やかに|早急に|至急|できるだけ早く|まもなく"
        ),
    },
}

PROMISES: dict[str, dict[str, re.Pattern[str]]] = {
    language: {what: re.compile(words, re.IGNORECASE) for what, words in table.items()}
    for language, table in _WORDS.items()
}
