import sys, tempfile, time
from pathlib import Path
from tests.faults.bench import Bench, Kind, Stuck
from tests.faults.life import Moment
from tests.faults.world import running_world
def main():
    kind=Kind(sys.argv[1]); folder=Path(tempfile.mkdtemp(prefix='mfb-'))
    with running_world(with_postgres=kind is Kind.POSTGRES) as world, Bench(world,kind,folder,seed=3) as bench:
        for m in bench._moments(bench.slots[0]):
            t=time.time(); before=bench.counts.kills[m]
            for s in bench.slots:
                if s.process is None: bench.start(s,m if s.number==0 else None)
                s.moment=m if s.number==0 else None
            n=0
            while n<1:
                bench.feed(2); t1=time.time()
                while n<1 and time.time()-t1<.7: n+=bench.bury_the_killed(.35)
            print(f'{time.time()-t:5.1f}s', m.name, bench.counts.kills[m]-before,flush=True)
        bench.come_to_rest(); bench.check(); print('ok')
main() if __name__=='__main__' else None
