visits = 0
ticks = 0
lock = Mutex.new
Thread.new { loop { sleep 0.05; ticks += 1 } }
run lambda { |env|
  lock.synchronize { visits += 1 } if env['PATH_INFO'] == '/'
  [200, { 'content-type' => 'text/plain' }, ["visits #{visits} ticks #{ticks}\n"]]
}
