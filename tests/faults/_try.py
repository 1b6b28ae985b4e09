import sys, time, tempfile, traceback
from pathlib import Path
from collections import Counter
from tests.faults.bench import Bench, Kind, Stuck
from tests.faults.faults import faults_of
from tests.faults.world import running_world
from tests.faults.invariants import tally
import faulthandler
def main():
    faulthandler.dump_traceback_later(int(sys.argv[5]) if len(sys.argv)>5 else 45,exit=True)
    kind=Kind(sys.argv[1]); names=sys.argv[2].split(';') if len(sys.argv)>2 and sys.argv[2] else []; kills=int(sys.argv[3]) if len(sys.argv)>3 else 0
    folder=Path(tempfile.mkdtemp(prefix='mfb-'));print(folder)
    t0=time.time()
    with running_world(with_postgres=kind is Kind.POSTGRES) as world:
        print('world',time.time()-t0, world.disk.is_small, world.network, flush=True)
        with Bench(world,kind,folder,seed=int(sys.argv[4]) if len(sys.argv)>4 else 1) as bench:
            all=faults_of(kind)
            todo=[n for n in (all if names==['all'] else names)] or [None]
            for n in todo:
                t=time.time()
                try:
                    f=bench.round(all[n] if n else None,kills,n or '')
                    print(f'{time.time()-t:6.1f}s',n,tally(f),bench.counts.kills.total(),flush=True)
                except Exception as e:
                    print(f'{time.time()-t:6.1f}s FAILED',n,type(e).__name__,str(e)[:6000],flush=True)
                    if not isinstance(e,Stuck): traceback.print_exc()
                    break
            print(dict(bench.counts.kills))
if __name__=='__main__': main()
