# A file in memory that both workers have from the master; the lock is the file's.
store = File.open('/dev/shm/visits', 'w+')
run lambda { |env|
  visits = File.open('/dev/shm/visits', 'r+') do |file|
    file.flock(File::LOCK_EX)
    count = file.read.to_i + (env['PATH_INFO'] == '/' ? 1 : 0)
    file.rewind
    file.write(count)
    file.flush
    count
  end
  $ticks ||= 0
  $ticker ||= Thread.new { loop { sleep 0.05; $ticks += 1 } }
  [200, { 'content-type' => 'text/plain' }, ["visits #{visits} ticks #{$ticks} worker #{Process.pid}\n"]]
}
