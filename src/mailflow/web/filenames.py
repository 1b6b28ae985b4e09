"""Names of files that came with a mail: as they are saved here, and whether opening them may run something. Pure.

Rule: a name is judged as the browser saves it, not as its sender wrote it: `run.exe .` is saved as `run.exe`.
"""

import re

MOST = 150
"""Characters of a name."""
_MAY_RUN = frozenset(
    "exe com scr pif bat cmd ps1 psm1 vb vbe vbs js jse mjs ws wsf wsh wsc sct hta jar jnlp msi msp mst msix appx cpl "
    "dll reg inf lnk url desktop scf chm hlp gadget application appref-ms settingcontent-ms library-ms search-ms "
    "iso img vhd vhdx dmg pkg sh bash command py pyw pl apk deb rpm "
    "html htm xhtml xht shtml mht mhtml svg svgz xml xsl "
    "docm dotm xlsm xltm xlam xlsb xll pptm potm ppam ppsm sldm one onepkg accdb accde mdb mde ade slk iqy".split()
)
"""Programs, what starts them, pictures of disks, pages with scripts, documents with macros."""


def saved_name(filename: str) -> str:
    """Without a path, a control character, and what Windows takes away at the end of a name: dots and blanks."""
    last = re.split(r"[/\\]", filename)[-1]
    name = "".join(char if char.isprintable() and char not in ':*?"<>|' else "_" for char in last).strip(". ")
    return name[:MOST].rstrip(". ") or "attachment"


def may_run(filename: str) -> bool:
    _, dot, ending = saved_name(filename).rpartition(".")
    return bool(dot) and ending.strip().casefold() in _MAY_RUN
