#!/usr/bin/perl
# sessions.pl PATH COUNT USERS FIRST-UID FIRST-GID GROUPS [wait]: opens sessions of so many users,
# one after the other, and reads their first bytes. Prints the count, the seconds, and of the waits
# for the first bytes p50, p99 and the longest in ms. With `wait`, ends when the first session does.
use strict;
use warnings;
use Socket;
use Time::HiRes qw(time);
my ($path, $count, $users, $uid, $gid, $groups, $wait) = @ARGV;
$| = 1;
my (@open, @took);
my $start = time;
for my $number (0 .. $count - 1) {
  socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
  my $user = $number % $users;
  $) = "100 " . ($gid + $user % $groups);
  $> = $uid + $user;
  my $began = time;
  connect($socket, pack_sockaddr_un($path)) or die "connect: $!";
  my $read = sysread($socket, my $bytes, 4096);
  push @took, time - $began;
  $> = 0;
  $) = "0 0";
  die "user $number was refused\n" unless $read;
  push @open, $socket;
}
my @sorted = sort { $a <=> $b } @took;
printf "opened %d sessions in %.1f s; first byte p50 %.2f, p99 %.2f, max %.2f ms\n", $count,
  time - $start, map { 1000 * $sorted[int($_ * $#sorted)] } 0.5, 0.99, 1;
sysread($open[0], my $more, 1) if $wait;
