set +x
B=/var/tmp/x; rm -rf $B; mkdir -p $B; cd $B
python3 --version 2>/dev/null
mk() { # name
 mkdir -p $B/$1/rootfs/bin $B/$1/rootfs/tmp; cp /bin/busybox $B/$1/rootfs/bin/; for a in sh sleep cat echo; do ln -s busybox $B/$1/rootfs/bin/$a; done
 unshare -n -i -u sh -c "hostname $1; echo \$\$ > $B/$1/pause; exec sleep 3000" & 
 sleep 1; P=$(cat $B/$1/pause)
 mkdir -p $B/$1/etchosts; echo $1 > $B/$1/hosts
 (cd $B/$1; runc spec; /opt/berth/bin/node -e '
 const fs=require("fs");const s=JSON.parse(fs.readFileSync("config.json"));
 s.process.terminal=false;s.process.args=["sh","-c","i=0; while :; do i=$((i+1)); echo $i; echo $i > /tmp/n; sleep 1; done"];
 s.root.readonly=false;
 for(const n of s.linux.namespaces){const k={network:"net",ipc:"ipc",uts:"uts"}[n.type]; if(k)n.path=`/proc/'$P'/ns/${k}`;}
 if(!s.linux.namespaces.some(n=>n.type=="cgroup"))s.linux.namespaces.push({type:"cgroup"});
 s.mounts.push({destination:"/etc/hosts",type:"bind",source:process.cwd()+"/hosts",options:["rbind","rw"]});
 s.linux.cgroupsPath="system.slice:x:'$1'"; delete s.hostname;
 fs.writeFileSync("config.json",JSON.stringify(s));')
}
R="runc --root $B/state --systemd-cgroup"
echo "cgroup-root /system.slice/x-b.scope" > $B/criu.conf; mk a; mk b; /opt/berth/bin/node -e "const f=\"$B/b/config.json\",fs=require(\"fs\"),s=JSON.parse(fs.readFileSync(f));s.annotations={\"org.criu.config\":\"$B/criu.conf\"};fs.writeFileSync(f,JSON.stringify(s))"
(cd $B/a; $R run -d --pid-file $B/a.pid a </dev/null 2>&1 | cat > $B/a.out &) 
sleep 3; cat $B/a.err; cat $B/a.out
cat /proc/$(cat $B/a.pid)/cgroup
CG=/sys/fs/cgroup$(cut -d: -f3 /proc/$(cat $B/a.pid)/cgroup)
echo $CG
echo 1 > $CG/cgroup.freeze; sleep 1; cat $CG/cgroup.events
mkdir $B/img
$R checkpoint --image-path=$B/img --work-path=$B/img --leave-running a; echo dump rc $?
grep -n Error $B/img/dump.log
cat $CG/cgroup.events
cat $B/a/rootfs/tmp/n; sleep 3; cat $B/a/rootfs/tmp/n
cp $B/a/rootfs/tmp/n $B/b/rootfs/tmp/n
echo 0 > $CG/cgroup.freeze; sleep 2;  cat $B/a/rootfs/tmp/n
(cd $B/b; $R restore -d --pid-file $B/b.pid --image-path $B/img --work-path $B/b --bundle $B/b b </dev/null 2>&1 | cat > $B/b.out &)
sleep 6; cat $B/b.err; cat $B/b.out
grep -n Error $B/b/restore.log; tail -3 $B/b/restore.log
P=$(cat $B/b.pid); cat /proc/$P/cgroup; cat $B/b/rootfs/tmp/n
for n in net ipc uts pid mnt cgroup; do echo $n $(readlink /proc/$P/ns/$n) $(readlink /proc/$(cat $B/b/pause)/ns/$n) $(readlink /proc/$(cat $B/a.pid)/ns/$n); done
cat /proc/$P/root/etc/hosts
cat /proc/$P/status | grep -i -E "cap|seccomp|nonewp"; cat /proc/$P/attr/current
nsenter -t $P -C cat /proc/$P/cgroup /proc/$P/mountinfo; grep -n -i cg $B/b/restore.log; systemctl list-units --all | grep x-
$R delete -f a; $R delete -f b; kill $(cat $B/a/pause) $(cat $B/b/pause)
